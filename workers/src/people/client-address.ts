import type { Context } from "hono";
import type { App } from "../bindings.ts";

/** workerd says where a connection comes from, as `ADDRESS:PORT` or `[ADDRESS]:PORT`, where it serves by itself. */
const peerOf = (request: Request): string | undefined => {
  const peer = (request.cf as { clientIp?: unknown } | undefined)?.clientIp;
  return typeof peer === "string" ? peer.replace(/:\d+$/, "").replace(/^\[|\]$/g, "") : undefined;
};

/**
 * The network address a request comes from, for limits of sign-ins, sessions and the audit log; undefined: unknown. Any
 * client can send headers, so one counts only where something in front of the Worker sets it: Cloudflare's on
 * Cloudflare, and the one that `CLIENT_ADDRESS_HEADER` names behind a proxy of one's own.
 */
export function clientAddress(c: Context<App>): string | undefined {
  const header = c.env.CLIENT_ADDRESS_HEADER ?? (c.env.BLOBS ? undefined : "cf-connecting-ip");
  return (header ? c.req.header(header) : peerOf(c.req.raw))?.slice(0, 64);
}
