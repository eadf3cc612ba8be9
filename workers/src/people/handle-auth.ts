import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { baseUrl } from "../http/links.ts";
import { openSql } from "../storage/sql-connection.ts";
import { clientAddress } from "./client-address.ts";
import { ADDRESS_HEADER, makeAuth } from "./make-auth.ts";
import { sendSignInLink } from "./send-sign-in-link.ts";
import { forgetSession } from "./session.ts";
import { sessionCookieOf } from "./session-cookie.ts";

/** better-auth's routes. What a request says of the client's address is replaced by what the server knows of it. */
export async function handleAuth(c: Context<App>): Promise<Response> {
  const connection = openSql(c.env);
  const auth = makeAuth(c.env, connection, {
    origin: baseUrl(c),
    cookie: sessionCookieOf(c),
    sendLink: (link) => sendSignInLink(c.env, connection, link),
  });
  const request = new Request(c.req.raw);
  request.headers.delete(ADDRESS_HEADER);
  const address = clientAddress(c);
  if (address !== undefined) request.headers.set(ADDRESS_HEADER, address);
  const response = await auth.handler(request);
  // Signing out, and whatever else they change of it, holds in this isolate at once.
  if (c.req.method !== "GET") forgetSession(c);
  return response;
}
