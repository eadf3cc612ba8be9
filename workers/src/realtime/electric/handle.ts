import { z } from "zod";
import { signerOf } from "../../auth/signing.ts";
import type { Bindings } from "../../bindings.ts";

/**
 * The state of an Electric subscription, which its handle carries from request to request: what was
 * authorized, and the bounds of the list at the first request.
 */
export const Handle = z.object({
  /** Key of the environment. */
  env: z.string(),
  /** Identifies the token that the handle was issued to. */
  token: z.string(),
  /** The shape: `run:ID`, `batch:ID` or `runs:TAGS`. */
  shape: z.string(),
  /** The epoch of the LiveObject in which the offsets of a list are valid. */
  epoch: z.string().optional(),
  /** Lower bound of the creation time. */
  from: z.number().optional(),
  skip: z.array(z.string()).optional(),
  /** Milliseconds since the epoch until which it replaces an expired token. */
  until: z.number(),
});
export type Handle = z.infer<typeof Handle>;

/** How long a subscription outlives its token. */
export const HANDLE_MS = 24 * 3_600_000;

export function writeHandle(env: Bindings, handle: Handle): string {
  const text = Buffer.from(JSON.stringify(handle)).toString("base64url");
  return `${text}.${signerOf(env).sign("shape", text)}`;
}

/** Returns null if it is not a handle of this server, environment and shape. */
export function readHandle(
  env: Bindings,
  text: string | undefined,
  shape: string,
  now: number,
): Handle | null {
  if (text === undefined || text.length > 8_192) return null;
  const dot = text.indexOf(".");
  const [body, signature] = [text.slice(0, dot), text.slice(dot + 1)];
  if (dot < 0 || !signerOf(env).verify("shape", body, signature, now)) return null;
  try {
    const handle = Handle.safeParse(JSON.parse(Buffer.from(body, "base64url").toString()));
    return handle.success && handle.data.shape === shape ? handle.data : null;
  } catch {
    return null;
  }
}
