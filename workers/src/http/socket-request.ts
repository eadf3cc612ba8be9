import { log } from "@acme/durable-objects/lib/log";
import { LIVE_TOKEN_SUBPROTOCOL } from "@acme/sdk/contract/live";
import type { Context } from "hono";
import type { App } from "../bindings.ts";
import { Failure } from "./failure.ts";

/** The subprotocol of a route, and the texts of its errors. */
export interface SocketRoute {
  subprotocol: string;
  upgradeRequired: string;
  unknownSubprotocol: string;
  /** The message if something other than a Failure prevents the connection. */
  unavailable: string;
}

/**
 * Returns the token that a WebSocket request offers as a subprotocol, if any. Throws a 426 for other
 * requests, and a 400 for one that does not offer the route's subprotocol.
 */
export function offeredToken(c: Context<App>, route: SocketRoute): string | undefined {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    throw new Failure(426, "upgrade_required", route.upgradeRequired, { headers: { upgrade: "websocket" } });
  }
  const offered = (c.req.header("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
  if (!offered.includes(route.subprotocol)) {
    throw new Failure(400, "unknown_subprotocol", route.unknownSubprotocol);
  }
  return offered
    .find((name) => name.startsWith(LIVE_TOKEN_SUBPROTOCOL))
    ?.slice(LIVE_TOKEN_SUBPROTOCOL.length);
}

/**
 * Opens the connection only to send the reason why it is closed: a WebSocket client cannot see an HTTP
 * response.
 */
export function refuseSocket(
  error: unknown,
  { subprotocol, unavailable }: SocketRoute,
  answer: { message(failure: Failure): object; closeCode(status: number): number },
): Response {
  if (!(error instanceof Failure)) log.error("A connection could not be opened", { subprotocol, error });
  const failure = error instanceof Failure ? error : new Failure(503, "unavailable", unavailable);
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.send(JSON.stringify(answer.message(failure)));
  server.close(answer.closeCode(failure.status), failure.code);
  return new Response(null, {
    status: 101,
    webSocket: client,
    headers: { "sec-websocket-protocol": subprotocol },
  });
}
