import { z } from "zod";

/** Where a large payload or output is read from, or written to, for an hour and without a key. */
export const PacketAddress = z.object({
  presignedUrl: z.string(),
  /** What to send as the payload, with the type `application/store`, once it is uploaded. */
  storagePath: z.string().optional(),
});

/** What makes up such an address. */
export const SignedPacketQuery = z.object({
  key: z.string().min(1).max(512),
  /** Milliseconds since the epoch. */
  expires: z.string().min(1).max(32),
  signature: z.string().min(1).max(512),
});

export const StoredPacket = z.object({ size: z.number() });
