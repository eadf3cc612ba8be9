import { LIVE_LIMITS, type LiveServerMessage, type LiveTarget } from "@acme/sdk/contract/live";
import type { ObjectSocket } from "../lib/object-sockets.ts";
import type { CompiledFilter } from "./filter.ts";
import type { LivePrincipal } from "./rpc.ts";
import type { ShownRuns } from "./shown-runs.ts";
import type { SkipColumns } from "./skip-columns.ts";

/** Messages that a client may have before it says that it has handled some. */
export const WINDOW = 64;
/** Characters of such messages. */
export const WINDOW_CHARACTERS = 1024 * 1024;
/** Characters of such messages of all clients: above that, a client has no more than it may have without acknowledging. */
const ALL_CHARACTERS = 64 * 1024 * 1024;
/** A client that has so many messages and asks for more is disconnected: each subscription begins with one. */
const MAX_OUTSTANDING = 512;
/** Changed runs that are remembered for a client that lags; with more it gets a snapshot when it has caught up. */
const MAX_MISSED = 1_000;

/** Characters that were sent to all clients and are not acknowledged. */
export interface Outstanding {
  characters: number;
}

/** A WebSocket as the hub uses it. */
export type LiveSocket = ObjectSocket<SavedConnection>;

export interface SavedConnection {
  principal: LivePrincipal;
  subscriptions: [id: string, target: LiveTarget][];
  /** Something was not sent because the client lagged or its token had expired. */
  behind: boolean;
}

/** Runs of one filter: what its subscriptions get is worked out and written once for all of them. */
export interface ListGroup {
  readonly compiled: CompiledFilter;
  readonly data: boolean;
  readonly skip: SkipColumns;
  readonly subscriptions: Set<Subscription>;
  /** What its subscriptions may show; kept only where runs may stop matching. */
  readonly shown: ShownRuns | null;
  /** Number of the last change that was sent. */
  position: number;
  /** The last snapshot, for all who come before anything changes. */
  snapshot: { seq: number; limit: number; at: number; text: Promise<string> } | null;
}

export interface Subscription {
  readonly id: string;
  readonly target: LiveTarget;
  readonly connection: Connection;
  readonly skip: SkipColumns;
  group?: ListGroup;
  /** The first state was sent; until then changes are not. */
  active: boolean;
  over: boolean;
  /** Changed runs that were not sent. "all": they are too many to list, and the client needs a snapshot. */
  missed: Set<string> | "all" | null;
  /** For a subscription to logs: the last line that was not sent; null: it is not known, because this object slept since. */
  skippedTo: number | null;
  /** For a subscription to a stream. */
  progress?: StreamProgress;
}

/** How far a subscription to a stream has come. */
export interface StreamProgress {
  /** Number of the last record that was sent; null: it is not known, because this object slept since. */
  sent: number | null;
  /** The last record of each message that the client has not handled yet, oldest first. */
  unhandled: number[];
  /** Nothing is written to the stream any more; null: it is not known, because this object slept since. */
  runOver: boolean | null;
  /** Records are being read; `again`: there may be more than those. */
  reading: boolean;
  again: boolean;
}

/** One client's socket: what it watches, and how far it has come. */
export class Connection {
  readonly socket: LiveSocket;
  principal: LivePrincipal;
  readonly subscriptions = new Map<string, Subscription>();
  /** When the principal was last looked at. */
  checkedAt: number;
  expiredSince: number | null = null;
  /** Nothing is sent until it is known whether the principal is still valid. */
  held = false;
  /** Since when the client has a whole window of messages and has acknowledged none of them. */
  lagsSince: number | null = null;
  /** Characters of each message that the client has not acknowledged. */
  readonly #outstanding: number[] = [];
  #characters = 0;
  readonly #all: Outstanding;
  #savedBehind = false;

  constructor(socket: LiveSocket, principal: LivePrincipal, now: number, all: Outstanding) {
    this.#all = all;
    this.socket = socket;
    this.principal = principal;
    this.checkedAt = now;
  }

  send(message: LiveServerMessage): void {
    this.sendText(JSON.stringify(message));
  }

  sendText(text: string): void {
    this.#outstanding.push(text.length);
    this.#count(text.length);
    this.socket.send(text);
  }

  get hasRoom(): boolean {
    if (this.#outstanding.length >= WINDOW) return false;
    if (this.#characters < LIVE_LIMITS.acknowledgeCharacters) return true;
    return this.#characters < WINDOW_CHARACTERS && this.#all.characters < ALL_CHARACTERS;
  }

  /** The client asks for more than it takes. */
  get isFlooded(): boolean {
    return this.#outstanding.length >= MAX_OUTSTANDING;
  }

  acknowledged(count: number): void {
    for (const characters of this.#outstanding.splice(0, count)) this.#count(-characters);
    this.lagsSince = null;
  }

  /** The client is gone. */
  closed(): void {
    this.#count(-this.#characters);
  }

  #count(characters: number): void {
    this.#characters += characters;
    this.#all.characters += characters;
  }

  /** `changed`: null for all there is. */
  miss(subscription: Subscription, changed: Iterable<string> | null): void {
    if (changed === null || subscription.missed === "all") subscription.missed = "all";
    else {
      subscription.missed ??= new Set();
      for (const runId of changed) subscription.missed.add(runId);
      if (subscription.missed.size > MAX_MISSED) subscription.missed = "all";
    }
    if (!this.#savedBehind) this.save();
  }

  /** Some of what was missed was sent. */
  caughtUp(): void {
    if (this.#savedBehind && ![...this.subscriptions.values()].some(({ missed }) => missed !== null))
      this.save();
  }

  /** False: these are more subscriptions than can be kept. */
  save(): boolean {
    const behind = [...this.subscriptions.values()].some(({ missed }) => missed !== null);
    this.#savedBehind = behind;
    return this.socket.save({
      principal: this.principal,
      subscriptions: [...this.subscriptions.values()].map(({ id, target }) => [id, target]),
      behind,
    });
  }
}
