import { isFinal } from "@acme/sdk/contract";
import {
  LIVE_CLOSE,
  LIVE_LIMITS,
  LIVE_PROTOCOL,
  LiveClientMessage,
  type LiveEnvironment,
  type LiveFilter,
  type LiveLogLine,
  type LiveRun,
  type LiveTarget,
  type RunSummary,
} from "@acme/sdk/contract/live";
import type { RunRecord, RunRow } from "../rpc.ts";
import { mayReadRun, mayWatch, notAllowed } from "./access.ts";
import { ChangeSignals } from "./change-signals.ts";
import {
  Connection,
  type ListGroup,
  type LiveSocket,
  type SavedConnection,
  type Subscription,
  WINDOW,
} from "./connection.ts";
import { type CompiledFilter, compileFilter, newestFirst } from "./filter.ts";
import { inParallel, sleep } from "./in-parallel.ts";
import { type Interest, queueOf } from "./interest.ts";
import { LatestRuns } from "./latest-runs.ts";
import type { LiveFailure, LiveInterest, LivePrincipal, RunsPage } from "./rpc.ts";
import { dataOf, liveRun } from "./run-data.ts";
import { RunReader, sizeOf } from "./run-reader.ts";

/** What the hub asks of others. */
export interface HubHost {
  readonly environmentKey: string;
  now(): number;
  /** Unique in the life of an object: positions of another life mean nothing. */
  readonly epoch: string;
  listRuns(filter: LiveFilter, limit: number): Promise<{ runs: RunRow[]; more: boolean }>;
  summaryOf(run: RunRow): RunSummary;
  /** Gives a queue an interest, and retrieves runs of it: those that exist. */
  listen(queueKey: string, interest: LiveInterest, runIds: string[]): Promise<RunRecord[]>;
  environment(): Promise<LiveEnvironment>;
  /** Log lines after `after`, and from then on each one through `logsAppended`. */
  watchLogs(
    runId: string,
    after: number,
    limit: number,
  ): Promise<{ previous: number; lines: LiveLogLine[]; more: boolean }>;
  authenticate(token: string): Promise<LivePrincipal | LiveFailure>;
  isValid(principal: LivePrincipal): Promise<boolean>;
  /** Keeps the object awake until this is over. */
  keepAlive(work: Promise<unknown>): void;
}

/** Changes of a moment go together; with many watchers the moment is longer, as each of them costs a message. */
const GATHER_MS = 10;
const GATHER_MS_A_WATCHER = 0.1;
const MAX_GATHER_MS = 250;
/** A run that could not be read is read again after this long. */
const RETRY_MS = 500;
/** The counts of the environment are sent at most this often. */
const ENVIRONMENT_MS = 1_000;
/** Queues are given this long to begin to send their changes; a snapshot doesn't wait for longer. */
const OPEN_MS = 2_000;
/** A held poll of a list answers this long after the first change, with what else came. */
const LIST_GATHER_MS = 100;
const OPEN_AT_ONCE = 32;
/** A principal is looked at again this often while something is sent to it. */
const CHECK_MS = 30_000;
/** A socket whose token has expired waits this long for another one. */
const EXPIRED_MS = 60_000;
/** Characters of run data in one snapshot; older runs come without. */
const SNAPSHOT_DATA = 4 * 1024 * 1024;

/**
 * The live side of one environment: connections, their subscriptions, and the latest state of each run that changed.
 * It hears of changes from the queues that it gave an interest, keeps the newest of each run, and sends it to whoever
 * watches; what it hears is a hint, the state sent is the owner's or the query side's.
 */
export class LiveHub {
  readonly #host: HubHost;
  readonly #interest: Interest;
  readonly #latest = new LatestRuns();
  readonly #connections = new Map<LiveSocket, Connection>();
  readonly #groups = new Map<string, ListGroup>();
  readonly #runs = new Map<string, Set<Subscription>>();
  readonly #logs = new Map<string, Set<Subscription>>();
  readonly #environments = new Set<Subscription>();
  readonly #reader: RunReader;
  readonly #signals = new ChangeSignals();
  readonly #listing = new Map<string, Promise<{ runs: RunRow[]; more: boolean }>>();
  /** Changed since the last broadcast, each with its state at that time. */
  #pending = new Map<string, { row: RunRow; previous: RunRow | null }>();
  #broadcasting = false;
  #opening: Promise<void> | null = null;
  #environmentSent = "";
  #environmentChanged = false;
  #countingEnvironment = false;

  constructor(host: HubHost, interest: Interest) {
    this.#host = host;
    this.#interest = interest;
    this.#reader = new RunReader(host.listen, interest, this.#latest);
  }

  get connections(): number {
    return this.#connections.size;
  }

  connect(socket: LiveSocket, principal: LivePrincipal): void {
    const connection = new Connection(socket, principal, this.#host.now());
    this.#connections.set(socket, connection);
    connection.save();
    connection.send({
      type: "welcome",
      protocol: LIVE_PROTOCOL,
      environment: { id: principal.environment.id, slug: principal.environment.slug },
      window: WINDOW,
      ...expiry(principal),
    });
  }

  /** A connection of before this object was put to sleep. It has all that was sent; what changed since comes from now on. */
  restore(socket: LiveSocket, saved: SavedConnection): void {
    const connection = new Connection(socket, saved.principal, this.#host.now());
    this.#connections.set(socket, connection);
    for (const [id, target] of saved.subscriptions) {
      const subscription = this.#add(connection, id, target);
      subscription.active = true;
      if (saved.behind) subscription.missed = "all";
    }
    if (saved.behind) this.#catchUp(connection);
  }

  closed(socket: LiveSocket): void {
    const connection = this.#connections.get(socket);
    if (!connection) return;
    this.#connections.delete(socket);
    for (const subscription of connection.subscriptions.values()) this.#forget(subscription);
  }

  /** A message of a client. */
  async message(socket: LiveSocket, text: string): Promise<void> {
    const connection = this.#connections.get(socket);
    if (!connection) return;
    const message = parse(text);
    if ("error" in message) {
      connection.send({
        type: "error",
        ...(message.id === undefined ? {} : { id: message.id }),
        ...message.error,
      });
      return;
    }
    switch (message.type) {
      case "subscribe":
        return this.#subscribe(connection, message.id, message.target);
      case "unsubscribe":
        this.#unsubscribe(connection, message.id);
        return;
      case "auth":
        return this.#authenticate(connection, message.token);
      case "ack":
        connection.acknowledged(message.count);
        this.#catchUp(connection);
    }
  }

  /** See `LiveRpc`. */
  runsChanged(queueKey: string, rows: RunRow[]): LiveInterest {
    const now = this.#host.now();
    for (const row of rows) {
      const { changed, previous } = this.#latest.put(row, now);
      if (!changed) continue;
      this.#signals.changed(row);
      const pending = this.#pending.get(row.id);
      if (pending) pending.row = row;
      else this.#pending.set(row.id, { row, previous });
    }
    if (this.#pending.size > 0) this.#broadcastSoon();
    const interest = this.#interest.of(queueKey);
    this.#interest.given(queueKey, interest);
    return interest;
  }

  /** See `LiveRpc`. */
  logsAppended(runId: string, previous: number, lines: LiveLogLine[]): boolean {
    const subscriptions = this.#logs.get(runId);
    if (!subscriptions) return false;
    const rest = logsText(previous, lines);
    for (const subscription of subscriptions) {
      const last = lines.at(-1)?.seq ?? previous;
      subscription.skippedTo = Math.max(subscription.skippedTo, last);
      if (subscription.active) this.#deliver(subscription, "logs", rest, null);
      // It is reading: it reads on.
      else subscription.missed = "all";
    }
    return true;
  }

  /** See `LiveRpc`. */
  async waitForRun(runId: string, after: number, waitMs: number): Promise<RunRecord | "missing" | null> {
    if (!queueOf(runId).startsWith(this.#host.environmentKey)) return "missing";
    const endAt = this.#host.now() + waitMs;
    this.#interest.addRun(runId);
    try {
      for (;;) {
        // Before the run is read: a change that comes while it is being read is not missed.
        const change = this.#signals.nextOfRun(runId, Math.max(0, endAt - this.#host.now()));
        const run = await this.#reader.one(runId);
        if (!run || run.version > after) {
          change.cancel();
          return run ?? "missing";
        }
        // A notice may have been lost: the last word is the owner's.
        if (!(await change.came)) return laterThan(after, await this.#reader.one(runId));
      }
    } finally {
      this.#interest.removeRun(runId);
    }
  }

  /** See `LiveRpc`. */
  async waitForRuns(
    filter: LiveFilter,
    limit: number,
    position: string | null,
    waitMs: number,
  ): Promise<RunsPage> {
    const compiled = compileFilter(filter);
    const endAt = this.#host.now() + waitMs;
    this.#interest.addList();
    try {
      await this.#open();
      for (;;) {
        const { seq } = this.#latest;
        const rows = this.#changesSince(position ?? undefined)?.filter((row) => compiled.matches(row));
        if (!rows || rows.length > limit) {
          const { runs } = await this.#list(compiled, limit);
          return await this.#page(this.#overlaid(compiled, runs, limit).rows, seq, true);
        }
        const left = endAt - this.#host.now();
        if (rows.length > 0 || left <= 0) return await this.#page(rows, seq, false);
        if (await this.#signals.next((row) => compiled.matches(row), left).came) await sleep(LIST_GATHER_MS);
      }
    } finally {
      this.#interest.removeList();
    }
  }

  async #page(rows: RunRow[], seq: number, whole: boolean): Promise<RunsPage> {
    const { found, failed } = await this.#reader.many(rows.map(({ id }) => id));
    if (failed.size > 0) throw new Error("Some runs could not be read");
    let left = SNAPSHOT_DATA;
    const runs = rows.flatMap((row) => {
      const run = found.get(row.id);
      if (!run) return [];
      left -= sizeOf(run);
      return left > 0 ? run : { ...run, payload: null, output: null, metadata: null };
    });
    return { position: `${this.#host.epoch}:${seq}`, runs, whole };
  }

  async #subscribe(connection: Connection, id: string, target: LiveTarget): Promise<void> {
    this.#unsubscribe(connection, id, false);
    if (connection.subscriptions.size >= LIVE_LIMITS.subscriptionsPerSocket) {
      this.#refuse(connection, id, {
        status: 422,
        code: "too_many_subscriptions",
        message: `A connection has at most ${LIVE_LIMITS.subscriptionsPerSocket} subscriptions. Unsubscribe from some, or watch many runs with one filter.`,
      });
      return;
    }
    const refused = mayWatch(connection.principal, target);
    if (refused) {
      this.#refuse(connection, id, refused.error);
      return;
    }
    const subscription = this.#add(connection, id, target);
    if (!connection.save()) {
      this.#end(subscription, {
        status: 422,
        code: "too_many_subscriptions",
        message:
          "The subscriptions of this connection have too many values in their filters. Unsubscribe from some, or use broader filters.",
      });
      return;
    }
    await this.#begin(subscription, true);
  }

  /**
   * Sends the state that a subscription begins with; after a failure it is tried again as long as the subscription lives.
   * `resume`: from the position that the client named.
   */
  async #begin(subscription: Subscription, resume: boolean): Promise<void> {
    while (!subscription.over) {
      try {
        await this.#start(subscription, resume);
        return;
      } catch (error) {
        console.error("A live subscription could not read its first state; it is tried again", error);
        await sleep(RETRY_MS);
      }
    }
  }

  async #start(subscription: Subscription, resume: boolean): Promise<void> {
    const { target } = subscription;
    switch (target.kind) {
      case "run":
        return this.#startRun(subscription, target.runId, resume ? target.position : undefined);
      case "runs":
      case "batch":
        return this.#startList(subscription, target.limit, resume ? target.position : undefined);
      case "environment":
        return this.#startEnvironment(subscription);
      case "logs":
        return this.#startLogs(subscription, target.runId, target.after ?? 0);
    }
  }

  async #startRun(subscription: Subscription, runId: string, position = -1): Promise<void> {
    const run = await this.#readable(subscription, runId);
    if (!run || subscription.over) return;
    subscription.active = true;
    subscription.missed = null;
    if (run.version > position) this.#send(subscription, "run", this.#runText(run, true));
  }

  /** The run, if it is there and the client may read it; the subscription is ended otherwise. */
  async #readable(subscription: Subscription, runId: string): Promise<RunRecord | null> {
    const run = queueOf(runId).startsWith(this.#host.environmentKey) ? await this.#reader.one(runId) : null;
    if (!run) {
      this.#end(subscription, {
        status: 404,
        code: "run_not_found",
        message: `Run ${runId} was not found in this environment.`,
      });
      return null;
    }
    const { principal } = subscription.connection;
    if (mayReadRun(principal, run)) return run;
    this.#end(subscription, notAllowed(principal.scopes ?? [], `read:runs:${runId}`).error);
    return null;
  }

  async #startList(
    subscription: Subscription,
    limit: number = LIVE_LIMITS.defaultSnapshotRuns,
    position?: string,
  ): Promise<void> {
    const group = subscription.group as ListGroup;
    await this.#open();
    const since = this.#changesSince(position);
    const listed = since ? null : await this.#list(group.compiled, limit);
    if (subscription.over) return;
    // What changes from here on is noted, and sent after this state.
    subscription.missed = new Set();
    const { seq } = this.#latest;
    if (since) {
      const text = await this.#changesText(group, since, seq);
      if (text) this.#send(subscription, "changes", text);
    }
    if (listed) {
      const { rows, cut } = this.#overlaid(group.compiled, listed.runs, limit);
      this.#send(subscription, "snapshot", await this.#snapshotText(group, rows, listed.more || cut, seq));
    }
    subscription.active = true;
    const missed = take(subscription);
    if (missed === "all" || (missed && missed.size > 0)) await this.#sendMissed(subscription, missed);
  }

  #changesSince(position: string | undefined): RunRow[] | null {
    const [epoch, seq] = (position ?? "").split(":");
    return epoch === this.#host.epoch && seq !== undefined ? this.#latest.since(Number(seq)) : null;
  }

  /** The list of the query side. Whoever asks at the same time shares one call. */
  #list(compiled: CompiledFilter, limit: number): Promise<{ runs: RunRow[]; more: boolean }> {
    const key = `${limit} ${compiled.key}`;
    const listing =
      this.#listing.get(key) ??
      this.#host.listRuns(compiled.filter, limit).finally(() => this.#listing.delete(key));
    this.#listing.set(key, listing);
    return listing;
  }

  /** A list of the query side with what is known to be newer. */
  #overlaid(compiled: CompiledFilter, listed: RunRow[], limit: number): { rows: RunRow[]; cut: boolean } {
    const rows = new Map(listed.map((row) => [row.id, row]));
    for (const row of this.#latest.rows()) {
      const known = rows.get(row.id);
      if (known && known.version >= row.version) continue;
      if (compiled.matches(row)) rows.set(row.id, row);
      else rows.delete(row.id);
    }
    const all = [...rows.values()].sort(newestFirst);
    return { rows: all.slice(0, limit), cut: all.length > limit };
  }

  async #startEnvironment(subscription: Subscription): Promise<void> {
    await this.#open();
    const environment = await this.#host.environment();
    if (subscription.over) return;
    subscription.active = true;
    this.#send(subscription, "environment", `,"environment":${JSON.stringify(environment)}}`);
  }

  async #startLogs(subscription: Subscription, runId: string, after: number): Promise<void> {
    if (!(await this.#readable(subscription, runId))) return;
    let from = after;
    for (;;) {
      subscription.missed = null;
      const { previous, lines, more } = await this.#host.watchLogs(runId, from, LIVE_LIMITS.logLines);
      if (subscription.over) return;
      // Also without lines: the client then knows where what follows begins.
      this.#send(subscription, "logs", logsText(previous, lines));
      from = lines.at(-1)?.seq ?? previous;
      // A line that came meanwhile was not sent: it is read.
      if (!more && subscription.missed === null) break;
    }
    subscription.active = true;
  }

  #add(connection: Connection, id: string, target: LiveTarget): Subscription {
    const subscription: Subscription = {
      id,
      target,
      connection,
      active: false,
      over: false,
      missed: null,
      skippedTo: 0,
    };
    connection.subscriptions.set(id, subscription);
    switch (target.kind) {
      case "run":
        addTo(this.#runs, target.runId, subscription);
        this.#interest.addRun(target.runId);
        break;
      case "logs":
        addTo(this.#logs, target.runId, subscription);
        break;
      case "environment":
        this.#environments.add(subscription);
        this.#interest.addList();
        break;
      case "runs":
        this.#join(subscription, target.filter, target.data ?? false);
        break;
      case "batch":
        this.#join(subscription, { batch: target.batchId }, target.data ?? false);
        break;
    }
    return subscription;
  }

  #join(subscription: Subscription, filter: LiveFilter, data: boolean): void {
    const compiled = compileFilter(filter);
    const key = groupKey(compiled.key, data);
    const group = this.#groups.get(key) ?? {
      compiled,
      data,
      subscriptions: new Set(),
      position: this.#latest.seq,
    };
    group.subscriptions.add(subscription);
    this.#groups.set(key, group);
    subscription.group = group;
    this.#interest.addList();
  }

  #unsubscribe(connection: Connection, id: string, save = true): void {
    const subscription = connection.subscriptions.get(id);
    if (!subscription) return;
    connection.subscriptions.delete(id);
    this.#forget(subscription);
    if (save) connection.save();
  }

  #forget(subscription: Subscription): void {
    if (subscription.over) return;
    subscription.over = true;
    const { target, group } = subscription;
    switch (target.kind) {
      case "run":
        removeFrom(this.#runs, target.runId, subscription);
        this.#interest.removeRun(target.runId);
        break;
      case "logs":
        removeFrom(this.#logs, target.runId, subscription);
        break;
      case "environment":
        this.#environments.delete(subscription);
        this.#interest.removeList();
        break;
      default:
        group?.subscriptions.delete(subscription);
        if (group?.subscriptions.size === 0) this.#groups.delete(groupKey(group.compiled.key, group.data));
        this.#interest.removeList();
    }
  }

  #end(subscription: Subscription, error: LiveFailure["error"]): void {
    const { connection, id } = subscription;
    if (subscription.over) return;
    this.#unsubscribe(connection, id);
    this.#refuse(connection, id, error);
  }

  #refuse(connection: Connection, id: string, error: LiveFailure["error"]): void {
    connection.send({ type: "error", id, ...error });
  }

  async #authenticate(connection: Connection, token: string): Promise<void> {
    const principal = await this.#host.authenticate(token);
    if ("error" in principal || principal.environment.key !== this.#host.environmentKey) {
      const error =
        "error" in principal
          ? principal.error
          : { status: 403, code: "other_environment", message: "This token is of another environment." };
      connection.send({ type: "error", ...error });
      connection.socket.close(LIVE_CLOSE.unauthorized, error.code);
      this.closed(connection.socket);
      return;
    }
    connection.principal = principal;
    connection.checkedAt = this.#host.now();
    connection.expiredSince = null;
    connection.send({ type: "authenticated", ...expiry(principal) });
    for (const subscription of [...connection.subscriptions.values()]) {
      const refused = mayWatch(principal, subscription.target);
      if (refused) this.#end(subscription, refused.error);
    }
    connection.save();
    this.#catchUp(connection);
  }

  /** Sends a client that lagged the latest of what it missed. */
  #catchUp(connection: Connection): void {
    for (const subscription of connection.subscriptions.values()) {
      if (!subscription.active || subscription.missed === null) continue;
      if (!connection.hasRoom || connection.expiredSince !== null) return;
      this.#host.keepAlive(this.#sendMissed(subscription, take(subscription) ?? "all"));
    }
    connection.caughtUp();
  }

  async #sendMissed(subscription: Subscription, missed: Set<string> | "all"): Promise<void> {
    const { target, group } = subscription;
    if (target.kind === "logs") {
      // The client sees the gap, and asks for what it lacks.
      this.#send(subscription, "logs", logsText(subscription.skippedTo, []));
      return;
    }
    const rows = missed === "all" ? [] : [...missed].map((runId) => this.#latest.get(runId));
    const known = rows.filter((row) => row !== undefined);
    if (group && missed !== "all" && known.length === rows.length) {
      try {
        const text = await this.#changesText(group, known, group.position);
        if (text) this.#send(subscription, "changes", text);
        return;
      } catch (error) {
        console.error("Changes that a client missed could not be read; it gets a snapshot", error);
      }
    }
    subscription.active = false;
    await this.#begin(subscription, false);
  }

  /** Sends the state that begins a subscription: it doesn't wait for room. */
  #send(subscription: Subscription, type: string, rest: string): void {
    if (!subscription.over) subscription.connection.sendText(head(type, subscription.id) + rest);
  }

  /** Sends a change, or notes that it was missed where the client lags or its token has expired. */
  #deliver(subscription: Subscription, type: string, rest: string, changed: Iterable<string> | null): void {
    const { connection } = subscription;
    const now = this.#host.now();
    const { expiresAt } = connection.principal;
    if (expiresAt !== null && expiresAt <= now) {
      this.#expired(connection, now);
      connection.miss(subscription, changed);
      return;
    }
    if (now - connection.checkedAt > CHECK_MS) this.#check(connection, now);
    if (subscription.missed !== null || !connection.hasRoom) {
      connection.miss(subscription, changed);
      return;
    }
    connection.sendText(head(type, subscription.id) + rest);
  }

  #expired(connection: Connection, now: number): void {
    if (connection.expiredSince === null) {
      connection.expiredSince = now;
      connection.send({ type: "expired" });
    } else if (now - connection.expiredSince > EXPIRED_MS) {
      connection.socket.close(LIVE_CLOSE.unauthorized, "token_expired");
      this.closed(connection.socket);
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
        connection.socket.close(LIVE_CLOSE.unauthorized, "invalid_api_key");
        this.closed(connection.socket);
      },
      // Whoever can't be asked is asked next time.
      () => {},
    );
    this.#host.keepAlive(check);
  }

  /** Asks the queues that keep changes to themselves to send them. A queue that can't be reached is asked until it can. */
  async #open(): Promise<void> {
    this.#opening ??= this.#openAll().finally(() => {
      this.#opening = null;
    });
    await Promise.race([this.#opening, sleep(OPEN_MS)]);
  }

  async #openAll(): Promise<void> {
    const startedAt = this.#host.now();
    while (this.#interest.needsAll) {
      const queues = this.#interest.silentQueues();
      if (queues.length === 0) break;
      let failed = false;
      await inParallel(queues, OPEN_AT_ONCE, async (queueKey) => {
        try {
          await this.#reader.listen(queueKey, []);
        } catch {
          failed = true;
        }
      });
      if (failed) await sleep(RETRY_MS);
    }
    // Snapshots that did not wait may lack what such a queue kept to itself.
    if (this.#host.now() - startedAt > OPEN_MS) this.#resync();
  }

  #resync(): void {
    for (const group of this.#groups.values()) {
      for (const subscription of group.subscriptions) {
        if (!subscription.active) continue;
        subscription.active = false;
        this.#host.keepAlive(this.#begin(subscription, false));
      }
    }
  }

  #broadcastSoon(): void {
    if (this.#broadcasting) return;
    this.#broadcasting = true;
    this.#host.keepAlive(this.#broadcastAll());
  }

  async #broadcastAll(): Promise<void> {
    try {
      while (this.#pending.size > 0) {
        const watchers = this.#connections.size;
        await sleep(Math.min(MAX_GATHER_MS, Math.max(GATHER_MS, watchers * GATHER_MS_A_WATCHER)));
        const unread = await this.#broadcast();
        if (unread) await sleep(RETRY_MS);
      }
    } finally {
      this.#broadcasting = false;
    }
  }

  /** Sends what has changed. True: some run could not be read; it is sent with a later broadcast. */
  async #broadcast(): Promise<boolean> {
    const changes = [...this.#pending.values()];
    const seq = this.#latest.seq;
    this.#pending = new Map();
    if (this.#environments.size > 0) this.#environmentSoon();
    const watched = changes.filter(({ row }) => this.#runs.has(row.id)).map(({ row }) => row.id);
    const records = await this.#reader.many([...watched, ...this.#needData(changes)]);
    const unread = changes.filter(({ row }) => records.failed.has(row.id));
    for (const change of unread)
      if (!this.#pending.has(change.row.id)) this.#pending.set(change.row.id, change);
    for (const runId of watched) {
      const run = records.found.get(runId);
      if (!run) continue;
      const rest = this.#runText(run, false);
      for (const subscription of this.#runs.get(runId) ?? [])
        if (subscription.active) this.#deliver(subscription, "run", rest, null);
    }
    for (const group of this.#groups.values()) {
      if (group.subscriptions.size === 0) continue;
      const readable = group.data ? changes.filter(({ row }) => !records.failed.has(row.id)) : changes;
      if (readable.length === changes.length) group.position = seq;
      const text = this.#changesTextWith(group, readable, group.position, records.found);
      if (!text) continue;
      const ids = readable.map(({ row }) => row.id);
      for (const subscription of group.subscriptions) {
        if (subscription.active) this.#deliver(subscription, "changes", text, ids);
        // Its first state is being read: it may have been too early for these.
        else note(subscription, ids);
      }
    }
    return unread.length > 0;
  }

  #needData(changes: { row: RunRow }[]): string[] {
    const groups = [...this.#groups.values()].filter(({ data }) => data);
    if (groups.length === 0) return [];
    return changes
      .filter(({ row }) => groups.some(({ compiled }) => compiled.matches(row)))
      .map(({ row }) => row.id);
  }

  #runText(run: RunRecord, payload: boolean): string {
    const live = liveRun(this.#host.summaryOf, run, dataOf(run, payload));
    return `,"run":${JSON.stringify(live)},"final":${isFinal(run.status)}}`;
  }

  async #changesText(group: ListGroup, rows: RunRow[], seq: number): Promise<string | null> {
    const matching = group.data ? rows.filter((row) => group.compiled.matches(row)) : [];
    const { found, failed } = await this.#reader.many(matching.map(({ id }) => id));
    if (failed.size > 0) throw new Error("Some runs could not be read");
    const changes = rows.map((row) => ({ row, previous: null }));
    return this.#changesTextWith(group, changes, seq, found);
  }

  /** Null: nothing of it concerns the group. */
  #changesTextWith(
    group: ListGroup,
    changes: { row: RunRow; previous: RunRow | null }[],
    seq: number,
    records: Map<string, RunRecord>,
  ): string | null {
    const { compiled } = group;
    const runs: LiveRun[] = [];
    const removed: string[] = [];
    for (const { row, previous } of changes) {
      if (compiled.matches(row)) runs.push(this.#listed(group, row, records.get(row.id)));
      else if (compiled.isMutable && (previous === null || compiled.matches(previous))) removed.push(row.id);
    }
    if (runs.length === 0 && removed.length === 0) return null;
    return `,"position":"${this.#host.epoch}:${seq}","runs":${JSON.stringify(runs)},"removed":${JSON.stringify(removed)}}`;
  }

  async #snapshotText(group: ListGroup, rows: RunRow[], more: boolean, seq: number): Promise<string> {
    const { found, failed } = await this.#reader.many(group.data ? rows.map(({ id }) => id) : []);
    if (failed.size > 0) throw new Error("Some runs could not be read");
    let left = SNAPSHOT_DATA;
    const runs = rows.map((row) => {
      const record = found.get(row.id);
      left -= record ? sizeOf(record) : 0;
      return this.#listed(group, row, left > 0 ? record : undefined);
    });
    return `,"position":"${this.#host.epoch}:${seq}","runs":${JSON.stringify(runs)},"more":${more}}`;
  }

  #listed(group: ListGroup, row: RunRow, record: RunRecord | undefined): LiveRun {
    if (!group.data || !record) return liveRun(this.#host.summaryOf, row);
    return liveRun(this.#host.summaryOf, record, dataOf(record, true));
  }

  #environmentSoon(): void {
    this.#environmentChanged = true;
    if (this.#countingEnvironment) return;
    this.#countingEnvironment = true;
    this.#host.keepAlive(this.#sendEnvironment());
  }

  /** The query side follows a moment later: it is asked until nothing changes any more and it says the same twice. */
  async #sendEnvironment(): Promise<void> {
    let before: string | null = null;
    let rest: string | null = null;
    while (this.#environments.size > 0 && (this.#environmentChanged || rest === null || rest !== before)) {
      this.#environmentChanged = false;
      await sleep(ENVIRONMENT_MS);
      before = rest;
      rest = await this.#host.environment().then(
        (environment) => `,"environment":${JSON.stringify(environment)}}`,
        (error: unknown) => {
          console.error("The counts of an environment could not be read; they are read again", error);
          return null;
        },
      );
      if (rest === null || rest === this.#environmentSent) continue;
      this.#environmentSent = rest;
      for (const subscription of this.#environments)
        if (subscription.active) this.#deliver(subscription, "environment", rest, null);
    }
    this.#countingEnvironment = false;
  }
}

const laterThan = (version: number, run: RunRecord | null): RunRecord | null =>
  run && run.version > version ? run : null;

const expiry = ({ expiresAt }: LivePrincipal) => (expiresAt === null ? {} : { expiresAt });

const groupKey = (filterKey: string, data: boolean): string => `${data ? "data" : "list"} ${filterKey}`;

/** The beginning of a message, whose rest is the same for all subscriptions of a kind. */
const head = (type: string, id: string): string => `{"type":"${type}","id":${JSON.stringify(id)}`;

const logsText = (previous: number, lines: LiveLogLine[]): string =>
  `,"previous":${previous},"lines":${JSON.stringify(lines)}}`;

function take(subscription: Subscription): Subscription["missed"] {
  const { missed } = subscription;
  subscription.missed = null;
  return missed;
}

function note({ missed }: Subscription, runIds: string[]): void {
  if (missed !== null && missed !== "all") for (const runId of runIds) missed.add(runId);
}

function addTo<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key) ?? new Set<T>();
  set.add(item);
  sets.set(key, set);
}

function removeFrom<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key);
  set?.delete(item);
  if (set?.size === 0) sets.delete(key);
}

/** `id`: of the subscription that a message that is invalid was about. */
function parse(text: string): LiveClientMessage | (LiveFailure & { id?: string }) {
  const failure = (code: string, message: string): LiveFailure => ({ error: { status: 400, code, message } });
  if (text.length > LIVE_LIMITS.messageLength) {
    return failure("message_too_large", `A message has at most ${LIVE_LIMITS.messageLength} characters.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return failure("invalid_json", "A message is a JSON text.");
  }
  const parsed = LiveClientMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  const invalid = failure("invalid_message", `The message is invalid. ${issues}`);
  const id = typeof value === "object" && value !== null && "id" in value ? value.id : undefined;
  return typeof id === "string" ? { ...invalid, id: id.slice(0, 64) } : invalid;
}
