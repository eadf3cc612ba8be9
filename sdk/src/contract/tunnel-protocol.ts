/**
 * The tunnel of `acme dev`: the host protocol (`host-protocol.ts`) over one WebSocket that the developer's
 * machine opens. Each message of the client is a request with an id, and each message of the server answers
 * one. A `dequeue` is answered when there are runs or notices; its `waitMs` has no effect here.
 *
 *   GET /ws   WebSocket with the subprotocols `acme.dev.1` and `acme.token.TOKEN`: the token of a TunnelTicket, or a secret
 *             key of a development environment. Query: TunnelQuery.
 *   POST /engine/v1/dev/tunnel   → TunnelTicket
 */
import { z } from "zod";

export const TUNNEL_SUBPROTOCOL = "acme.dev.1";
export const TUNNEL_PATH = "/ws";

/** Codes with which the server closes a tunnel. */
export const TUNNEL_CLOSE = {
  unauthorized: 4401,
  forbidden: 4403,
  /** Another machine executes the runs of this environment. */
  busy: 4409,
  /** Another machine has taken over. */
  takenOver: 4410,
  /** The same session opened another connection. */
  replaced: 4411,
  protocol: 4400,
  unavailable: 4503,
} as const;

/** The id of a host behind a tunnel begins with this, so it is never the id of another environment's host. */
export const tunnelHostPrefix = (environmentKey: string): string => `dev.${environmentKey}.`;

export const TunnelQuery = z.object({
  /** Display name of the machine. */
  name: z.string().min(1).max(128),
  /** The host's id, which is kept across restarts: letters, digits, _ and -. */
  machine: z.string().regex(/^[\w-]{1,64}$/),
  /** "1": closes the connection of another machine. */
  takeOver: z.enum(["0", "1"]).default("0"),
});
export type TunnelQuery = z.input<typeof TunnelQuery>;

const id = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

/** `body` is checked by the schema of the call: DequeueRequest, ReportRequest. */
export const TunnelRequest = z.discriminatedUnion("call", [
  z.object({ id, call: z.literal("dequeue"), body: z.unknown() }),
  z.object({ id, call: z.literal("report"), body: z.unknown() }),
  /** Answered with a HostDeployment. */
  z.object({ id, call: z.literal("deployment"), body: z.object({ deploymentId: z.string().max(128) }) }),
  /** The answer to the dequeue `id` arrived. Has no answer. */
  z.object({ id, call: z.literal("received") }),
]);
export type TunnelRequest = z.infer<typeof TunnelRequest>;

export const TunnelFailure = z.object({
  /** 0: the error concerns the connection, not one call, and the connection is closed after it. */
  id: z.number(),
  status: z.number(),
  code: z.string(),
  error: z.string(),
});
export type TunnelFailure = z.infer<typeof TunnelFailure>;

export const TunnelAnswer = z.union([
  z.object({ id: z.number(), status: z.literal(200), body: z.unknown() }),
  TunnelFailure,
]);
