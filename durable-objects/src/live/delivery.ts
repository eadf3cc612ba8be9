import { LIVE_CLOSE } from "@acme/sdk/contract/live";
import type { Connection, Subscription } from "./connection.ts";
import type { HubHost } from "./hub-host.ts";
import { Validity } from "./validity.ts";

/** How often a principal is checked again while messages are sent to it. */
const CHECK_MS = 30_000;
/** A principal that has not been checked for this long gets nothing until it has been. */
const UNCHECKED_MS = 60_000;
/** A socket whose token has expired waits this long for another token. */
const EXPIRED_MS = 60_000;
/** A client that acknowledges nothing for this long is disconnected. */
const LAG_MS = 120_000;

/** The fixed cost of a message, expressed in characters. */
const MESSAGE_COST = 4_096;

interface Connections {
  /** Closes a connection. */
  disconnect(connection: Connection, code: number, reason: string): void;
  /** Sends what was missed while the connection was held. */
  catchUp(connection: Connection): void;
}

/**
 * Decides whether a message is sent on a connection now. A connection
 * - has room: it gets every message;
 * - lags, because its client has not acknowledged a whole window of messages: changes are noted as missed, and after
 *   `LAG_MS` without any acknowledgement the connection is closed;
 * - is held, until it is known whether its key or session is still valid: changes are noted as missed;
 * - has expired, because its token has: changes are noted as missed, until the client sends another token or
 *   `EXPIRED_MS` pass, after which the connection is closed.
 */
export class Delivery {
  readonly #host: HubHost;
  readonly #connections: Connections;
  readonly #validity: Validity;
  #cost = 0;
  /** The message that was sent last, by subscription id. */
  #last = { type: "", rest: "", texts: new Map<string, string>() };

  constructor(host: HubHost, connections: Connections) {
    this.#host = host;
    this.#connections = connections;
    this.#validity = new Validity(host);
  }

  /** Sends the first state of a subscription, which does not wait for room. */
  send(subscription: Subscription, type: string, rest: string): void {
    if (!subscription.over) subscription.connection.sendText(this.#text(subscription, type, rest));
  }

  /**
   * Sends a change. Returns false if it was noted as missed, because the client lags or its token has
   * expired.
   */
  deliver(subscription: Subscription, type: string, rest: string, changed: Iterable<string> | null): boolean {
    const { connection } = subscription;
    const now = this.#host.now();
    const { expiresAt } = connection.principal;
    if (expiresAt !== null && expiresAt <= now) {
      this.#expired(connection, now);
      connection.miss(subscription, changed);
      return false;
    }
    const unchecked = now - connection.checkedAt;
    if (unchecked > UNCHECKED_MS) connection.held = true;
    if (unchecked > CHECK_MS) this.check(connection);
    if (connection.hasRoom) connection.lagsSince = null;
    else this.#lags(connection, now);
    if (subscription.missed !== null || !connection.hasRoom || connection.held) {
      connection.miss(subscription, changed);
      return false;
    }
    const text = this.#text(subscription, type, rest);
    this.#cost += MESSAGE_COST + text.length;
    connection.sendText(text);
    return true;
  }

  /** Returns the cost of the changes that were sent so far, in characters. */
  get cost(): number {
    return this.#cost;
  }

  /** Many clients use the same subscription ids, so equal message beginnings share one string. */
  #text({ id }: Subscription, type: string, rest: string): string {
    if (this.#last.rest !== rest || this.#last.type !== type) this.#last = { type, rest, texts: new Map() };
    const { texts } = this.#last;
    const text = texts.get(id) ?? head(type, id) + rest;
    texts.set(id, text);
    return text;
  }

  #expired(connection: Connection, now: number): void {
    if (connection.expiredSince === null) {
      connection.expiredSince = now;
      connection.send({ type: "expired" });
    } else if (now - connection.expiredSince > EXPIRED_MS) {
      this.#connections.disconnect(connection, LIVE_CLOSE.unauthorized, "token_expired");
    }
  }

  #lags(connection: Connection, now: number): void {
    connection.lagsSince ??= now;
    if (now - connection.lagsSince > LAG_MS)
      this.#connections.disconnect(connection, LIVE_CLOSE.unavailable, "slow_reader");
  }

  /** Closes the connection if its key, session or membership has ended. */
  check(connection: Connection): void {
    connection.checkedAt = this.#host.now();
    const check = this.#validity.isValid(connection.principal).then(
      (valid) => {
        if (valid) return;
        connection.send({
          type: "error",
          status: 401,
          code: "invalid_api_key",
          message: "The key or session of this connection is no longer valid.",
        });
        this.#connections.disconnect(connection, LIVE_CLOSE.unauthorized, "invalid_api_key");
      },
      // A failed check is repeated the next time.
      () => {
        connection.checkedAt = 0;
      },
    );
    this.#host.keepAlive(
      check.then(() => {
        if (!connection.held) return;
        connection.held = false;
        this.#connections.catchUp(connection);
      }),
    );
  }
}

/** Returns the beginning of a message, whose rest is the same for all subscriptions of a kind. */
const head = (type: string, id: string): string => `{"type":"${type}","id":${JSON.stringify(id)}`;
