import { LIVE_PRINCIPAL_HEADER, stubs } from "@acme/durable-objects/routing";
import type { LivePrincipal } from "@acme/durable-objects/rpc";
import {
  LIVE_CLOSE,
  LIVE_SUBPROTOCOL,
  LIVE_TOKEN_SUBPROTOCOL,
  type LiveServerMessage,
} from "@acme/sdk/contract/live";
import { type Context, Hono } from "hono";
import { authenticateOfferedToken, isAccessToken } from "../auth/access-token.ts";
import { access } from "../auth/middleware.ts";
import { sha256 } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { takeToken } from "../http/rate-limit.ts";
import { offeredToken, refuseSocket, type SocketRoute } from "../http/socket-request.ts";
import { authenticateMember } from "../people/authenticate-member.ts";
import { hasSessionCookie } from "../people/session.ts";
import { accessTokenPrincipal, livePrincipal, sessionPrincipal } from "./dependencies.ts";

/** Minimum number of seconds after which a refused client may reconnect; the maximum is twice as long. */
const RETRY_AFTER_S = 15;

const LIVE: SocketRoute = {
  subprotocol: LIVE_SUBPROTOCOL,
  upgradeRequired: "This address takes WebSockets only: connect with the live client of @acme/sdk/live.",
  unknownSubprotocol: `Offer the WebSocket subprotocol ${LIVE_SUBPROTOCOL}: this server speaks no other.`,
  unavailable: "The server could not open the connection. Try again.",
};

/** `GET /api/v1/live`: opens a connection to the environment's LiveObject. See `sdk/src/contract/live.ts`. */
export const liveRoutes = new Hono<App>().get("/api/v1/live", access("connectLive"), async (c) => {
  const token = offeredToken(c, LIVE);
  let response: Response;
  try {
    const principal = await principalOfRequest(c, token);
    const headers = new Headers({ upgrade: "websocket", [LIVE_PRINCIPAL_HEADER]: JSON.stringify(principal) });
    response = await stubs(c.env).live(principal.environment.key).fetch("https://live/", { headers });
  } catch (error) {
    return refuseSocket(error, LIVE, { message, closeCode });
  }
  if (response.status !== 503) return response;
  // No connection is opened to report that there is no room for one.
  throw new Failure(
    503,
    "too_many_connections",
    "The server holds as many live connections as it can. Try again later, and share one connection for many subscriptions.",
    { headers: { "retry-after": String(RETRY_AFTER_S + Math.floor(Math.random() * RETRY_AFTER_S)) } },
  );
});

/** A role that may list runs may watch them. */
async function principalOfRequest(c: Context<App>, token: string | undefined): Promise<LivePrincipal> {
  if (token && isAccessToken(token)) {
    const { environment } = await authenticateOfferedToken(c, "listRuns", token);
    return accessTokenPrincipal(environment, token);
  }
  if (!token && hasSessionCookie(c)) {
    const { environment, credential } = await authenticateMember(c, "listRuns");
    if (credential.type === "session") return sessionPrincipal(environment, credential.session);
  }
  if (!token) {
    throw new Failure(
      401,
      "missing_api_key",
      `No key was given: offer it as the WebSocket subprotocol ${LIVE_TOKEN_SUBPROTOCOL}TOKEN, or sign in and name the environment: ?environment=env_….`,
    );
  }
  const principal = await livePrincipal(c.env, token);
  if ("error" in principal) {
    const { status, code, message } = principal.error;
    throw new Failure(status as 401, code, message);
  }
  await takeToken(c, sha256(token));
  return principal;
}

const message = ({ status, code, message: text }: Failure): LiveServerMessage => ({
  type: "error",
  status,
  code,
  message: text,
});

function closeCode(status: number): number {
  if (status === 401) return LIVE_CLOSE.unauthorized;
  if (status === 403) return LIVE_CLOSE.forbidden;
  if (status === 404) return LIVE_CLOSE.notFound;
  return LIVE_CLOSE.unavailable;
}
