import { z } from "zod";
import { AboutHost } from "./about-host.ts";
import { randomBase36 } from "./ids.ts";

/**
 * A container host creates its credential itself and sends the server its SHA-256 when it registers. So
 * registering again with the same credential changes nothing, and a host that was killed at any point of the
 * registration can start over.
 */
const CREDENTIAL = /^ahc_([\w.-]{1,128})\.([0-9a-z]{40})$/;

/** Stable name of a host, kept across its restarts. */
export const HostId = z
  .string()
  .regex(/^[\w.-]{1,128}$/, "A host id has 1 to 128 letters, digits, _, . and -");

/** Returns a new credential, `ahc_HOSTID.SECRET`. */
export const newHostCredential = (hostId: string): string => `ahc_${hostId}.${randomBase36(40)}`;

/**
 * Returns the id of the host that the credential names; null if the text does not have the form of a
 * credential.
 */
export const hostOfCredential = (credential: string): string | null =>
  CREDENTIAL.exec(credential)?.[1] ?? null;

/** The header that carries a lease's `apiToken` when a host requests something of the run's environment. */
export const LEASE_HEADER = "x-acme-lease";

export const RegisterHostBody = z.object({
  hostId: HostId,
  /** SHA-256 of the credential, in hexadecimal. */
  credentialHash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "Give the SHA-256 of the credential, 64 hexadecimal digits"),
  /** Display name of the machine. */
  name: z.string().max(128).optional(),
});
export type RegisterHostBody = z.infer<typeof RegisterHostBody>;

export const RegisteredHost = z.object({ hostId: z.string() });

export const HOST_STATES = ["connected", "draining", "disconnected", "revoked"] as const;

/** A host as administrators see it. Times are ISO 8601. */
export const HostBody = z.object({
  hostId: z.string(),
  name: z.string().optional(),
  /**
   * `connected`: it polls or reported within the last minute. `draining`: it does too, but gets no more runs.
   */
  state: z.enum(HOST_STATES),
  registeredAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().optional(),
  /** When it stopped getting runs. */
  drainingAt: z.iso.datetime().optional(),
  /** When its last session began or ended; now if it is connected. */
  lastSeenAt: z.iso.datetime().optional(),
  /** The number of polls that wait for runs now. */
  polls: z.number(),
  /** What it last reported, while it is connected. */
  about: AboutHost.optional(),
});
export type HostBody = z.infer<typeof HostBody>;

export const ListHostsResponse = z.object({ data: z.array(HostBody) });

/**
 * A host as seen by the organizations whose runs it executes, without what it does for others. Revoked hosts,
 * and hosts that were not seen for a day, are left out.
 */
export const EnvironmentHost = HostBody.pick({
  hostId: true,
  name: true,
  drainingAt: true,
  lastSeenAt: true,
}).extend({
  state: z.enum(["connected", "draining", "disconnected"]),
  version: z.string().optional(),
  executor: z.string().optional(),
  slots: z.number().optional(),
  /** Whether it saves the processes of suspended runs. False: runs are resumed by replay. */
  savesProcesses: z.boolean().optional(),
});
export type EnvironmentHost = z.infer<typeof EnvironmentHost>;
export const ListEnvironmentHostsResponse = z.object({ data: z.array(EnvironmentHost) });
export type ListEnvironmentHostsResponse = z.infer<typeof ListEnvironmentHostsResponse>;
