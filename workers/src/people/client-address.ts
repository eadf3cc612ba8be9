import type { Context } from "hono";
import type { App } from "../bindings.ts";

/** Where workerd serves directly, it gives the peer of a connection as `ADDRESS:PORT` or `[ADDRESS]:PORT`. */
const peerOf = (request: Request): string | undefined => {
  const peer = (request.cf as { clientIp?: unknown } | undefined)?.clientIp;
  return typeof peer === "string" ? peer.replace(/:\d+$/, "").replace(/^\[|\]$/g, "") : undefined;
};

/**
 * Returns the network address of a request, for sign-in limits, sessions and the audit log; undefined if
 * unknown. Any client can send headers, so a header counts only if something in front of the Worker sets it:
 * Cloudflare's header on Cloudflare, and the one named by `CLIENT_ADDRESS_HEADER` behind a proxy.
 */
export function clientAddress(c: Context<App>): string | undefined {
  const header = c.env.CLIENT_ADDRESS_HEADER ?? (c.env.BLOBS ? undefined : "cf-connecting-ip");
  return (header ? c.req.header(header) : peerOf(c.req.raw))?.slice(0, 64);
}
