import type { Context } from "hono";
import { sha256 } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { authorizationOf } from "../http/authorization.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { baseUrl } from "../http/links.ts";
import { takeToken } from "../http/rate-limit.ts";
import { openSql } from "../storage/sql-connection.ts";
import { makeAuth } from "./make-auth.ts";
import { sessionCookieOf } from "./session-cookie.ts";

export interface Person {
  id: string;
  email: string;
  name: string;
  image: string | null;
}

export interface Session {
  id: string;
  user: Person;
}

/** A session that was revoked is accepted for this long at most. */
const SESSION_CACHE_MS = 10_000;

const sessions = new Cache<Session>(SESSION_CACHE_MS);

/**
 * Returns whether a request carries a session, valid or not, and no credential that takes precedence over it.
 */
export const hasSessionCookie = (c: Context<App>): boolean =>
  authorizationOf(c) === undefined && sessionCookieOf(c) !== undefined;

/**
 * Returns the session of a request's cookie, and counts the request against the session's rate limit. Throws
 * a 401 if there is no valid session, and a 403 for a change that another site's page requests.
 */
export async function authenticateSession(c: Context<App>): Promise<Session> {
  const cookie = sessionCookieOf(c);
  if (cookie === undefined) throw notSignedIn();
  checkOrigin(c);
  const hash = sha256(cookie);
  const session = await sessions.through(hash, () => loadSession(c));
  if (!session) throw notSignedIn();
  await takeToken(c, hash);
  return session;
}

/**
 * Makes this isolate read the session again at the next use of its cookie, because it was changed or revoked.
 */
export function forgetSession(c: Context<App>): void {
  const cookie = sessionCookieOf(c);
  if (cookie !== undefined) sessions.delete(sha256(cookie));
}

/** To be called when other sessions were revoked. */
export const forgetSessions = (): void => sessions.clear();

async function loadSession(c: Context<App>): Promise<Session | null> {
  const auth = makeAuth(c.env, openSql(c.env), { origin: baseUrl(c), cookie: sessionCookieOf(c) });
  const { headers, response } = await auth.api.getSession({
    headers: c.req.raw.headers,
    returnHeaders: true,
  });
  // A session in use is extended once a day; its cookie then has to last as long.
  for (const value of headers.getSetCookie()) c.header("set-cookie", value, { append: true });
  if (!response) return null;
  const { id, email, name, image } = response.user;
  return { id: response.session.id, user: { id, email, name, image: image ?? null } };
}

/**
 * A browser sends cookies with requests of any site's page. So a request that changes something, or opens a
 * WebSocket (which CORS does not restrict), is accepted only from this server's own pages, whose origin is
 * the request's target.
 */
function checkOrigin(c: Context<App>): void {
  const changes = c.req.method !== "GET" && c.req.method !== "HEAD";
  const isUpgrade = c.req.header("upgrade")?.toLowerCase() === "websocket";
  if (!changes && !isUpgrade) return;
  const origin = c.req.header("origin");
  if (origin !== undefined && ownOrigins(c).includes(origin)) return;
  throw new Failure(
    403,
    "cross_origin",
    `With a session cookie, only pages of ${baseUrl(c)} may request this; the request's Origin is ${origin?.slice(0, 200) ?? "missing"}. ` +
      "From elsewhere, use a key or an access token. Nothing was changed.",
  );
}

/**
 * A server often has several names (127.0.0.1, localhost), so the request's own host is accepted like the
 * public one.
 */
const ownOrigins = (c: Context<App>): string[] => {
  const own = new URL(c.req.url).origin;
  // Behind a proxy that ends TLS, the Worker sees plain http.
  return [own, own.replace(/^http:/, "https:"), baseUrl(c)];
};

const notSignedIn = (): Failure =>
  new Failure(
    401,
    "not_signed_in",
    "You are not signed in, or your session has ended. Sign in at /sign-in; programs use `Authorization: Bearer …`.",
  );
