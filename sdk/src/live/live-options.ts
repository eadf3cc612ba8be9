import type { LiveSkipColumn } from "../contract/live-constants.ts";
import type { LiveError } from "./live-error.ts";

export interface LiveClientOptions {
  /**
   * The server. Default: in a page with `environment`, the page's own origin; otherwise `ACME_API_URL` or
   * `TRIGGER_API_URL`.
   */
  baseURL?: string;
  /**
   * A secret key, a public token, or, with `environment`, a personal access token; or a function that returns
   * one, which is called for each connection and before a token expires. Default: `ACME_SECRET_KEY` or
   * `TRIGGER_SECRET_KEY`, unless `environment` is given.
   */
  accessToken?: string | (() => string | Promise<string>);
  /**
   * The environment to watch, `env_…` or `PROJECTREF/SLUG`. Needed with a personal access token, and in a
   * page with a session, which needs no token.
   */
  environment?: string;
  /** Default: the global WebSocket, or the one of the package `ws`. */
  WebSocket?: unknown;
}

/**
 * `waiting`: the connection was lost, and the client will reconnect. `refused`: the server refuses the key or
 * token.
 */
export type LiveStatus = "idle" | "connecting" | "open" | "waiting" | "refused";

export interface LiveSubscription {
  /** Ends the subscription: no listener is called after this. Safe to call twice. */
  unsubscribe(): void;
}

export interface LiveSubscribeOptions {
  /**
   * Called when the subscription ended because the run doesn't exist or may not be read, or the token is
   * invalid or has expired.
   */
  onError?: (error: LiveError) => void;
}

export interface LiveRunOptions extends LiveSubscribeOptions {
  /**
   * Fields of runs that the server does not send, by Trigger.dev's column names. A token can name such fields
   * too.
   */
  skipColumns?: LiveSkipColumn[];
}

export interface LiveStreamOptions extends LiveSubscribeOptions {
  /** Only chunks after this number. */
  after?: number;
  /** `latest`: begins at the last chunk that exists. Default: `start`. */
  from?: "start" | "latest";
  /** Called when the run is finished and all chunks were handled. */
  onEnd?: () => void;
}
