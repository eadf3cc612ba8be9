import { type AboutHost, parseRunId } from "@acme/sdk/contract";
import type { EnvironmentState } from "../environment/rpc.ts";
import { DeficitRoundRobin } from "../lib/drr.ts";
import { migrate, type Sql } from "../lib/sql.ts";
import { HostRegistry } from "./hosts.ts";
import type { HostInfo } from "./rpc.ts";
import { DISPATCHER_MIGRATIONS } from "./schema.ts";

/** A host that waits for runs. */
export interface Poll {
  readonly id: number;
  readonly hostId: string;
  readonly sessionId: string;
  readonly max: number;
}

export interface Assignment {
  poll: Poll;
  environmentKey: string;
  max: number;
}

interface Session {
  hostId: string;
  lastSeenAt: number;
  polls: number;
  queues: Set<string>;
  /** Hosts repeat this with each poll, so it need not survive a restart. */
  about?: AboutHost;
}

interface EnvironmentEntry {
  state: EnvironmentState;
  inflight: number;
}

/**
 * The decisions of a worker pool's dispatcher: which waiting host gets runs of which environment, and which hosts are
 * alive. The environments are the authority on what they have ready: a lost or old state here costs a futile request, and
 * never a run.
 */
export class DispatcherCore {
  readonly #sql: Sql;
  readonly #now: () => number;
  readonly #environments = new Map<string, EnvironmentEntry>();
  readonly hosts: HostRegistry;
  readonly #turns = new DeficitRoundRobin();
  readonly #sessions = new Map<string, Session>();
  /** Polls that wait, oldest first. */
  readonly #polls = new Map<number, Poll>();

  constructor(sql: Sql, now: () => number) {
    this.#sql = sql;
    this.#now = now;
    migrate(sql, DISPATCHER_MIGRATIONS);
    this.hosts = new HostRegistry(sql, now);
    // Sessions get their full time again, because no host could reach this object while it was down.
    for (const row of sql.exec<{ session_id: string; host_id: string }>(
      "SELECT session_id, host_id FROM sessions WHERE lost = 0",
    )) {
      this.#sessions.set(row.session_id, {
        hostId: row.host_id,
        lastSeenAt: now(),
        polls: 0,
        queues: new Set(),
      });
    }
    for (const row of sql.exec<{ session_id: string; queue_key: string }>(
      "SELECT session_id, queue_key FROM session_queues",
    )) {
      this.#sessions.get(row.session_id)?.queues.add(row.queue_key);
    }
  }

  environmentsToSync(): string[] {
    return this.#sql
      .exec<{ environment_key: string }>("SELECT environment_key FROM environments")
      .map((row) => row.environment_key);
  }

  applyState(state: EnvironmentState): void {
    const known = this.#environments.get(state.environmentKey);
    if (known && state.seq <= known.state.seq) return;
    if (!known) {
      this.#sql.exec(
        "INSERT INTO environments (environment_key) VALUES (?) ON CONFLICT DO NOTHING",
        state.environmentKey,
      );
    }
    const entry = { state, inflight: known?.inflight ?? 0 };
    this.#environments.set(state.environmentKey, entry);
    this.#turn(entry);
  }

  /** Returns whether the session is alive: a session that has ended gets no runs. */
  isAlive(sessionId: string): boolean {
    return this.#sessions.has(sessionId);
  }

  /** Returns whether the session is alive and its host is not draining. */
  takesRuns(sessionId: string): boolean {
    const session = this.#sessions.get(sessionId);
    return session !== undefined && !this.hosts.isDraining(session.hostId);
  }

  /**
   * Records a sign of life of a host session. Returns the sessions that it ends, because a host has only one
   * session, the latest. Returns null if this session has itself ended, and so can't come back, or if it is
   * another host's.
   */
  seen(hostId: string, sessionId: string): string[] | null {
    const session = this.#sessions.get(sessionId);
    if (session) {
      if (session.hostId !== hostId) return null;
      session.lastSeenAt = this.#now();
      return [];
    }
    if (this.hosts.isRevoked(hostId)) return null;
    if (this.#sql.exec("SELECT 1 AS found FROM sessions WHERE session_id = ?", sessionId).length > 0)
      return null;
    const ended = this.sessionsOf(hostId);
    this.#sql.exec("INSERT INTO sessions (session_id, host_id) VALUES (?, ?)", sessionId, hostId);
    this.#sessions.set(sessionId, { hostId, lastSeenAt: this.#now(), polls: 0, queues: new Set() });
    this.hosts.seen(hostId);
    return ended;
  }

  /** Ends a session. Its queues are kept on record until all have been informed (`sessionsToEnd`, `queueInformed`). */
  end(sessionId: string): void {
    this.#sql.exec("UPDATE sessions SET lost = 1 WHERE session_id = ?", sessionId);
    const hostId = this.#sessions.get(sessionId)?.hostId;
    if (hostId !== undefined) this.hosts.seen(hostId);
    this.#sessions.delete(sessionId);
    for (const poll of [...this.#polls.values()])
      if (poll.sessionId === sessionId) this.#polls.delete(poll.id);
  }

  /** Returns the sessions that have ended, with the queues that have not been informed yet. */
  sessionsToEnd(): Map<string, string[]> {
    const rows = this.#sql.exec<{ session_id: string; queue_key: string }>(
      "SELECT session_id, queue_key FROM session_queues JOIN sessions USING (session_id) WHERE lost = 1",
    );
    const sessions = new Map<string, string[]>();
    for (const row of rows)
      sessions.set(row.session_id, [...(sessions.get(row.session_id) ?? []), row.queue_key]);
    return sessions;
  }

  /** Records that a queue has taken back what it had leased to an ended session. */
  queueInformed(sessionId: string, queueKey: string): void {
    this.#sql.exec("DELETE FROM session_queues WHERE session_id = ? AND queue_key = ?", sessionId, queueKey);
  }

  /** Ends the sessions that were silent for `lostAfterMs` and have no connection. Returns them. */
  endSilent(lostAfterMs: number, isConnected: (sessionId: string) => boolean): string[] {
    const before = this.#now() - lostAfterMs;
    const silent = [...this.#sessions]
      .filter(([id, s]) => s.polls === 0 && s.lastSeenAt <= before && !isConnected(id))
      .map(([id]) => id);
    for (const sessionId of silent) this.end(sessionId);
    return silent;
  }

  get hasSessions(): boolean {
    return this.#sessions.size > 0;
  }

  addPoll(poll: Poll): void {
    this.#polls.set(poll.id, poll);
    const session = this.#sessions.get(poll.sessionId);
    if (session) session.polls += 1;
  }

  /** Remembers what a host reported about itself. */
  describe(sessionId: string, about: AboutHost | undefined): void {
    const session = this.#sessions.get(sessionId);
    if (session && about) session.about = about;
  }

  /** Returns the number of runs that the session's waiting polls can take. */
  roomOf(sessionId: string): number {
    let room = 0;
    for (const poll of this.#polls.values()) if (poll.sessionId === sessionId) room += poll.max;
    return room;
  }

  /** Returns whether some environment waits for a host. */
  get isContended(): boolean {
    return this.#turns.ready > 0;
  }

  /** Removes a poll that was answered or timed out. */
  removePoll(poll: Poll): void {
    this.#polls.delete(poll.id);
    const session = this.#sessions.get(poll.sessionId);
    if (!session) return;
    session.polls -= 1;
    session.lastSeenAt = this.#now();
  }

  pollOf(sessionId: string): Poll | undefined {
    for (const poll of this.#polls.values()) if (poll.sessionId === sessionId) return poll;
    return undefined;
  }

  /**
   * Gives the next waiting poll its share of what is ready, as assignments, one per environment, and takes it
   * out of the line until its answer. Returns null if nothing is ready or nobody waits.
   */
  assign(): Assignment[] | null {
    const waiting = [...this.#polls.values()].filter((poll) => poll.max > 0);
    const poll = waiting[0];
    if (!poll || this.#turns.ready === 0) return null;
    const share = Math.min(poll.max, Math.ceil(this.#turns.ready / waiting.length));
    const assignments: Assignment[] = [];
    for (const [environmentKey, max] of this.#turns.take(share)) {
      (this.#environments.get(environmentKey) as EnvironmentEntry).inflight += max;
      assignments.push({ poll, environmentKey, max });
    }
    this.#polls.delete(poll.id);
    return assignments;
  }

  /** Puts a poll that got nothing back in line, at its front. */
  putBack(poll: Poll): void {
    const others = [...this.#polls];
    this.#polls.clear();
    this.#polls.set(poll.id, poll);
    for (const [id, other] of others) this.#polls.set(id, other);
  }

  /** Records the answer to an assignment: the environment's state after it, or null if the call failed. */
  assigned(assignment: Assignment, state: EnvironmentState | null): void {
    const entry = this.#environments.get(assignment.environmentKey) as EnvironmentEntry;
    entry.inflight -= assignment.max;
    if (state && state.seq > entry.state.seq) entry.state = state;
    // An environment that can't be reached counts as having nothing ready until it reports again.
    if (!state) entry.state = { ...entry.state, ready: 0 };
    this.#turn(entry);
  }

  /** Records, before a session gets these runs, which queues have leased them to it. */
  remember(sessionId: string, runIds: string[]): void {
    const session = this.#sessions.get(sessionId);
    if (!session) return;
    for (const runId of runIds) {
      const queueKey = parseRunId(runId)?.queueKey;
      if (!queueKey || session.queues.has(queueKey)) continue;
      session.queues.add(queueKey);
      this.#sql.exec(
        "INSERT INTO session_queues (session_id, queue_key) VALUES (?, ?) ON CONFLICT DO NOTHING",
        sessionId,
        queueKey,
      );
    }
  }

  sessionsOf(hostId: string): string[] {
    return [...this.#sessions].filter(([, session]) => session.hostId === hostId).map(([id]) => id);
  }

  /** Hosts that are connected. */
  connected(): HostInfo[] {
    return [...this.#sessions].map(([sessionId, s]) => ({
      hostId: s.hostId,
      sessionId,
      lastSeenAt: s.polls > 0 ? this.#now() : s.lastSeenAt,
      polls: s.polls,
      about: s.about,
    }));
  }

  #turn(entry: EnvironmentEntry): void {
    const { environmentKey, ready, weight } = entry.state;
    this.#turns.set(environmentKey, Math.max(0, ready - entry.inflight), weight);
  }
}
