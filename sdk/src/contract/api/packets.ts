import { z } from "zod";

/** The address of a large payload or output, for reading or for writing: valid for an hour, without credentials. */
export const PacketAddress = z.object({
  presignedUrl: z.string(),
  /** What to send as the payload, with the type `application/store`, after the upload. */
  storagePath: z.string().optional(),
});

/** The query string of such an address. */
export const SignedPacketQuery = z.object({
  key: z.string().min(1).max(512),
  /** Milliseconds since the epoch. */
  expires: z.string().min(1).max(32),
  signature: z.string().min(1).max(512),
});

export const StoredPacket = z.object({ size: z.number() });
