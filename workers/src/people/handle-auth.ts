import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { readBytes } from "../http/body.ts";
import { Failure } from "../http/failure.ts";
import { baseUrl } from "../http/links.ts";
import { mailerOf } from "../mail/mailer.ts";
import { openSql } from "../storage/sql-connection.ts";
import { answersWithSecrets, isOffered } from "./auth-paths.ts";
import { clientAddress } from "./client-address.ts";
import { ADDRESS_HEADER, makeAuth } from "./make-auth.ts";
import { sendSignInLink } from "./send-sign-in-link.ts";
import { forgetSession } from "./session.ts";
import { sessionCookieOf } from "./session-cookie.ts";

const BODY_BYTES = 64 * 1024;

/** better-auth's routes. What a request says of the client's address is replaced by what the server knows of it. */
export async function handleAuth(c: Context<App>): Promise<Response> {
  const path = c.req.path.slice("/api/auth".length);
  if (!isOffered(c.req.method, path)) {
    throw new Failure(
      404,
      "route_not_found",
      `There is no route ${c.req.method} /api/auth${path.slice(0, 100)}.`,
    );
  }
  // Where no mail can be sent, it says so whoever asks.
  const send = path === "/sign-in/magic-link" ? mailerOf(c.env) : undefined;
  const connection = openSql(c.env);
  const auth = makeAuth(c.env, connection, {
    origin: baseUrl(c),
    cookie: sessionCookieOf(c),
    sendLink: send
      ? async (link) => c.executionCtx.waitUntil(sendSignInLink(c.env, connection, send, link))
      : undefined,
  });
  const body =
    c.req.method === "POST" ? await readBytes(c.req.raw, BODY_BYTES, "The request body") : undefined;
  const request = new Request(c.req.url, { method: c.req.method, headers: c.req.raw.headers, body });
  request.headers.delete(ADDRESS_HEADER);
  const address = clientAddress(c);
  if (address !== undefined) request.headers.set(ADDRESS_HEADER, address);
  const response = await auth.handler(request);
  // Signing out, and whatever else they change of it, holds in this isolate at once.
  if (c.req.method !== "GET") forgetSession(c);
  if (!response.ok || !answersWithSecrets(path)) return response;
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return new Response(JSON.stringify({ status: true }), { status: response.status, headers });
}
