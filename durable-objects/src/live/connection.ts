import { LIVE_LIMITS, type LiveServerMessage, type LiveTarget } from "@acme/sdk/contract/live";
import type { ObjectSocket } from "../lib/object-sockets.ts";
import type { CompiledFilter } from "./filter.ts";
import type { LivePrincipal } from "./rpc.ts";
import type { ShownRuns } from "./shown-runs.ts";
import type { SkipColumns } from "./skip-columns.ts";

/** The maximum number of messages that are sent without an acknowledgement of the client. */
export const WINDOW = 64;
/** The maximum number of characters of such messages. */
export const WINDOW_CHARACTERS = 1024 * 1024;
/**
 * The maximum number of characters of unacknowledged messages of all clients together. Beyond that, each
 * client is held to its own window.
 */
const ALL_CHARACTERS = 64 * 1024 * 1024;
/**
 * A client with this many unacknowledged messages that subscribes again is disconnected, because each
 * subscription begins with a message.
 */
const MAX_OUTSTANDING = 512;
/**
 * The number of changed runs that are remembered for a lagging client. If there are more, it gets a snapshot
 * when it has caught up.
 */
const MAX_MISSED = 1_000;

/** The number of characters that were sent to all clients and are not acknowledged. */
export interface Outstanding {
  characters: number;
}

/** A WebSocket as the hub uses it. */
export type LiveSocket = ObjectSocket<SavedConnection>;

export interface SavedConnection {
  principal: LivePrincipal;
  subscriptions: [id: string, target: LiveTarget][];
  /** True: something was not sent because the client lagged or its token had expired. */
  behind: boolean;
}

/** The subscriptions of one filter: their messages are computed and serialized once for all of them. */
export interface ListGroup {
  readonly compiled: CompiledFilter;
  readonly data: boolean;
  /** Whether the state of runs that no longer match is sent, not only their ids. */
  readonly left: boolean;
  readonly skip: SkipColumns;
  readonly subscriptions: Set<Subscription>;
  /** The runs that its subscriptions may show; kept only if runs may stop matching. */
  readonly shown: ShownRuns | null;
  /** Number of the last change that was sent. */
  position: number;
  /** The last snapshot, which is reused until something changes. */
  snapshot: { seq: number; limit: number; at: number; text: Promise<string> } | null;
}

export interface Subscription {
  readonly id: string;
  readonly target: LiveTarget;
  readonly connection: Connection;
  readonly skip: SkipColumns;
  group?: ListGroup;
  /** True: the first state was sent. Changes are not sent before that. */
  active: boolean;
  over: boolean;
  /** Changed runs that were not sent. "all": there are too many to list, so the client needs a snapshot. */
  missed: Set<string> | "all" | null;
  /**
   * For a log subscription: the last line that was not sent. Null: not known, because this object has
   * hibernated since.
   */
  skippedTo: number | null;
  /** For a stream subscription: its progress. */
  progress?: StreamProgress;
}

/** The progress of a stream subscription. */
export interface StreamProgress {
  /** Number of the last record that was sent. Null: not known, because this object has hibernated since. */
  sent: number | null;
  /** The last record of each message that the client has not handled yet, oldest first. */
  unhandled: number[];
  /** True: the stream has ended. Null: not known, because this object has hibernated since. */
  runOver: boolean | null;
  /** Records are being read. `again`: there may be more than those. */
  reading: boolean;
  again: boolean;
}

/** One client's socket, with its subscriptions and its unacknowledged messages. */
export class Connection {
  readonly socket: LiveSocket;
  principal: LivePrincipal;
  readonly subscriptions = new Map<string, Subscription>();
  /** When the principal was last checked. */
  checkedAt: number;
  expiredSince: number | null = null;
  /** True: nothing is sent until it is known whether the principal is still valid. */
  held = false;
  /** The time since which the client has had a full window without acknowledging any message. */
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

  /** The client subscribes without handling its messages. */
  get isFlooded(): boolean {
    return this.#outstanding.length >= MAX_OUTSTANDING;
  }

  acknowledged(count: number): void {
    for (const characters of this.#outstanding.splice(0, count)) this.#count(-characters);
    this.lagsSince = null;
  }

  /** The client has disconnected. */
  closed(): void {
    this.#count(-this.#characters);
  }

  #count(characters: number): void {
    this.#characters += characters;
    this.#all.characters += characters;
  }

  /** `changed`: null for everything. */
  miss(subscription: Subscription, changed: Iterable<string> | null): void {
    if (changed === null || subscription.missed === "all") subscription.missed = "all";
    else {
      subscription.missed ??= new Set();
      for (const runId of changed) subscription.missed.add(runId);
      if (subscription.missed.size > MAX_MISSED) subscription.missed = "all";
    }
    if (!this.#savedBehind) this.save();
  }

  /** Some of the missed changes were sent. */
  caughtUp(): void {
    if (this.#savedBehind && ![...this.subscriptions.values()].some(({ missed }) => missed !== null))
      this.save();
  }

  /** Returns false if there are more subscriptions than can be stored. */
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
