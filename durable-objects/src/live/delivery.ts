import type { Connection, Subscription } from "./connection.ts";
import type { HubHost } from "./hub-host.ts";

/** A principal is checked again this often while messages are sent to it. */
const CHECK_MS = 30_000;
/** A socket whose token has expired waits this long for another token. */
const EXPIRED_MS = 60_000;

/**
 * Decides whether a message is sent on a connection now. A connection
 * - has room: it gets every message;
 * - lags, because its client has not acknowledged a whole window of messages: changes are noted as missed;
 * - has expired, because its token has: changes are noted as missed, until the client sends another token or
 *   `EXPIRED_MS` pass, after which the connection is closed.
 */
export class Delivery {
  readonly #host: HubHost;
  readonly #disconnect: (connection: Connection, reason: string) => void;

  /** `disconnect`: closes a connection whose token or key is no longer valid. */
  constructor(host: HubHost, disconnect: (connection: Connection, reason: string) => void) {
    this.#host = host;
    this.#disconnect = disconnect;
  }

  /** Sends the state that begins a subscription: it doesn't wait for room. */
  send(subscription: Subscription, type: string, rest: string): void {
    if (!subscription.over) subscription.connection.sendText(head(type, subscription.id) + rest);
  }

  /** Sends a change. False: it was noted as missed, because the client lags or its token has expired. */
  deliver(subscription: Subscription, type: string, rest: string, changed: Iterable<string> | null): boolean {
    const { connection } = subscription;
    const now = this.#host.now();
    const { expiresAt } = connection.principal;
    if (expiresAt !== null && expiresAt <= now) {
      this.#expired(connection, now);
      connection.miss(subscription, changed);
      return false;
    }
    if (now - connection.checkedAt > CHECK_MS) this.#check(connection, now);
    if (subscription.missed !== null || !connection.hasRoom) {
      connection.miss(subscription, changed);
      return false;
    }
    connection.sendText(head(type, subscription.id) + rest);
    return true;
  }

  #expired(connection: Connection, now: number): void {
    if (connection.expiredSince === null) {
      connection.expiredSince = now;
      connection.send({ type: "expired" });
    } else if (now - connection.expiredSince > EXPIRED_MS) {
      this.#disconnect(connection, "token_expired");
    }
  }

  #check(connection: Connection, now: number): void {
    connection.checkedAt = now;
    const check = this.#host.isValid(connection.principal).then(
      (valid) => {
        if (valid) return;
        connection.send({
          type: "error",
          status: 401,
          code: "invalid_api_key",
          message: "The key or session of this connection is no longer valid.",
        });
        this.#disconnect(connection, "invalid_api_key");
      },
      // A check that failed is repeated the next time.
      () => {},
    );
    this.#host.keepAlive(check);
  }
}

/** The beginning of a message, whose rest is the same for all subscriptions of a kind. */
const head = (type: string, id: string): string => `{"type":"${type}","id":${JSON.stringify(id)}`;
