import { DurableObject } from "cloudflare:workers";
import {
  DEFAULTS,
  type DequeueRequest,
  type HostNotice,
  parseRunId,
  TUNNEL_CLOSE,
  TUNNEL_SUBPROTOCOL,
} from "@acme/sdk/contract";
import type { EnvironmentState } from "../environment/rpc.ts";
import { Alarm } from "../lib/alarm.ts";
import { log } from "../lib/log.ts";
import { closeBack, ObjectSockets, savedOf } from "../lib/object-sockets.ts";
import { objectSql } from "../lib/sql.ts";
import { vitals } from "../lib/vitals.ts";
import type { LeasedRun } from "../queue/rpc.ts";
import { HOST_POOL, poolOf } from "../routing/pool.ts";
import { type ObjectBindings, type Stubs, stubs } from "../routing/stubs.ts";
import { type Assignment, DispatcherCore, type Poll } from "./core.ts";
import { PendingDeliveries } from "./pending-deliveries.ts";
import type {
  DispatcherRpc,
  HostInfo,
  HostRegistration,
  HostVerdict,
  PollResult,
  RegisteredHostRecord,
} from "./rpc.ts";
import {
  type SavedTunnel,
  TUNNEL_OPENING_HEADER,
  type TunnelDependencies,
  type TunnelOpening,
  Tunnels,
} from "./tunnels.ts";
import { nothing, WaitingPolls } from "./waiting-polls.ts";

const TICK_MS = 10_000;
/** Pause after an environment that had reported work gave none. */
const EMPTY_PAUSE_MS = 50;
/** A developer's machine that lost its connection may come back within this time without losing its runs. */
const TUNNEL_GRACE_MS = 5_000;
/** How often it is checked that the machines at the other end of tunnels still send pings. */
const TUNNEL_CHECK_MS = 60_000;
/** A machine sends a ping every 20 s. */
const TUNNEL_SILENT_MS = 70_000;
/** A host that can take fewer runs than this gets no more through prefetched permits. */
const LEAST_ROOM = 4;

/**
 * The object of one pool of hosts: their long polls or tunnels, fairness over environments, and which hosts are alive. There is
 * the pool of the container hosts, and one for each development environment (`routing/pool.ts`).
 */
export function dispatcherObject<Env extends ObjectBindings>(dependencies: TunnelDependencies<Env>) {
  return class extends DurableObject<Env> implements DispatcherRpc {
    readonly #stubs: Stubs;
    readonly #core: DispatcherCore;
    readonly #alarm: Alarm;
    readonly #polls = new WaitingPolls((poll) => this.#core.removePoll(poll));
    readonly #pending = new PendingDeliveries();
    /**
     * How many runs a session's host can take: the number that it last reported, less the runs that it got
     * since.
     */
    readonly #room = new Map<string, number>();
    readonly #tunnels: Tunnels;
    readonly #sockets = new ObjectSockets<SavedTunnel>();
    #lastPoll = 0;
    #synced: Promise<void> | null = null;

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      this.#stubs = stubs(env);
      this.#core = new DispatcherCore(objectSql(ctx.storage), Date.now);
      this.#alarm = new Alarm(ctx.storage);
      ctx.blockConcurrencyWhile(() => this.#alarm.load());
      this.#tunnels = new Tunnels({
        now: Date.now,
        poll: (request, answer) => this.#tunnelPoll(request, answer),
        giveBack: (runs) => this.ctx.waitUntil(this.#giveBack(runs)),
        endOthers: (hostId) => this.#endOthers(hostId),
        hostSeen: (hostId, sessionId, goodbye) => this.hostSeen(hostId, sessionId, goodbye),
        disconnected: () => this.#alarm.by(Date.now() + TUNNEL_GRACE_MS),
        dequeueResponse: (hostId, result) => dependencies.dequeueResponse(env, hostId, result),
        applyReport: (report) => dependencies.applyReport(env, report),
        deployment: (environmentKey, id) => dependencies.deployment(env, environmentKey, id),
        isValid: (principal) => dependencies.isValid(env, principal),
      });
      if (!this.#isOfTunnels) return;
      // Answered without waking this object.
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
      for (const socket of ctx.getWebSockets()) {
        const saved = savedOf<SavedTunnel>(socket);
        if (saved) this.#tunnels.restore(this.#sockets.of(socket), saved);
      }
    }

    /** From the Worker only: opens a tunnel for a machine that it has authenticated. */
    override async fetch(request: Request): Promise<Response> {
      const opening = JSON.parse(
        request.headers.get(TUNNEL_OPENING_HEADER) ?? "null",
      ) as TunnelOpening | null;
      const key = opening?.principal.environmentKey;
      if (!opening || !key || this.ctx.id.name !== poolOf({ key, type: "DEVELOPMENT" }))
        return new Response(null, { status: 403 });
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      this.#tunnels.open(this.#sockets.of(server), opening);
      this.#alarm.by(Date.now() + TUNNEL_CHECK_MS);
      return new Response(null, {
        status: 101,
        webSocket: client,
        headers: { "sec-websocket-protocol": TUNNEL_SUBPROTOCOL },
      });
    }

    override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
      const text = typeof message === "string" ? message : new TextDecoder().decode(message);
      await this.#tunnels.message(this.#sockets.of(socket), text);
    }

    override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
      this.#closed(socket);
      closeBack(socket, code);
    }

    override async webSocketError(socket: WebSocket): Promise<void> {
      this.#closed(socket);
    }

    async reportEnvironment(state: EnvironmentState): Promise<void> {
      this.#core.applyState(state);
      this.#pump();
    }

    async poll(request: DequeueRequest): Promise<PollResult> {
      if (!this.#seen(request.hostId, request.sessionId)) return { ...nothing(), ended: true };
      this.#core.describe(request.sessionId, request.about);
      return new Promise<PollResult>((resolve) => {
        const poll = this.#wait(request, resolve);
        this.#polls.limit(poll, request.waitMs);
      });
    }

    async hostSeen(hostId: string, sessionId: string, goodbye: boolean): Promise<void> {
      if (!this.#seen(hostId, sessionId) || !goodbye) return;
      this.#endSession(sessionId);
      await this.#informQueues();
    }

    async deliver(sessionId: string, runs: LeasedRun[]): Promise<{ delivered: boolean; more: boolean }> {
      if (!this.#core.takesRuns(sessionId)) return { delivered: false, more: false };
      this.#core.remember(
        sessionId,
        runs.map((run) => run.runId),
      );
      const left = (this.#room.get(sessionId) ?? 0) - runs.length;
      this.#room.set(sessionId, left);
      this.#pending.supersede(runs);
      const poll = this.#core.pollOf(sessionId);
      if (poll) this.#polls.answer(poll, this.#pending.takeWith(sessionId, runs));
      else this.#pending.addRuns(sessionId, runs);
      return { delivered: true, more: left >= LEAST_ROOM && !this.#core.isContended };
    }

    async notifyHost(sessionId: string, notices: HostNotice[]): Promise<void> {
      const poll = this.#core.pollOf(sessionId);
      if (poll) {
        this.#polls.answer(poll, { ...nothing(), notices });
        return;
      }
      if (!this.#core.isAlive(sessionId)) return;
      this.#pending.addNotices(sessionId, notices);
    }

    async hosts(): Promise<HostInfo[]> {
      return this.#core.connected();
    }

    async registerHost(host: HostRegistration): Promise<"ok" | "exists" | "revoked"> {
      return this.#core.hosts.register(host);
    }

    async verifyHost(hostId: string, credentialHash: string): Promise<HostVerdict> {
      return this.#core.hosts.verify(hostId, credentialHash);
    }

    async revokeHost(hostId: string): Promise<RegisteredHostRecord | null> {
      const host = this.#core.hosts.revoke(hostId);
      const sessions = this.#core.sessionsOf(hostId);
      for (const sessionId of sessions) this.#endSession(sessionId);
      // The alarm repeats what fails here.
      if (sessions.length > 0) await this.#informQueues();
      return host;
    }

    async drainHost(hostId: string, draining: boolean): Promise<RegisteredHostRecord | null> {
      const host = this.#core.hosts.drain(hostId, draining);
      if (!host) return null;
      // Waiting polls ask for the number of runs that the host could take before the change.
      for (const sessionId of this.#core.sessionsOf(hostId)) {
        for (let poll = this.#core.pollOf(sessionId); poll; poll = this.#core.pollOf(sessionId))
          this.#polls.answer(poll, this.#pending.take(sessionId));
        this.#room.set(sessionId, 0);
      }
      return this.#withSessions([host])[0] ?? host;
    }

    async listHosts(limit: number): Promise<RegisteredHostRecord[]> {
      return this.#withSessions(this.#core.hosts.list(limit));
    }

    #withSessions(hosts: RegisteredHostRecord[]): RegisteredHostRecord[] {
      const connected = new Map(this.#core.connected().map((session) => [session.hostId, session]));
      return hosts.map((host) => {
        const session = connected.get(host.hostId);
        if (!session) return host;
        const { lastSeenAt, polls, about } = session;
        return { ...host, isConnected: true, lastSeenAt, polls, about };
      });
    }

    override async alarm(info?: AlarmInvocationInfo): Promise<void> {
      this.#alarm.fired(info);
      this.#noteVitals();
      if (this.#isOfTunnels) this.#closeSilentTunnels();
      const lostAfterMs = this.#isOfTunnels ? TUNNEL_GRACE_MS : DEFAULTS.hostLostMs;
      const connected = (sessionId: string) => this.#tunnels.isOpen(sessionId);
      for (const sessionId of this.#core.endSilent(lostAfterMs, connected)) this.#forget(sessionId);
      await this.#informQueues();
      if (this.#core.sessionsToEnd().size > 0) this.#alarm.by(Date.now() + TICK_MS);
      else if (!this.#core.hasSessions) return;
      else if (!this.#isOfTunnels) this.#alarm.by(Date.now() + TICK_MS);
      else this.#alarm.by(Date.now() + (this.#tunnels.size > 0 ? TUNNEL_CHECK_MS : TUNNEL_GRACE_MS));
    }

    #noteVitals(): void {
      const [id, now] = [this.ctx.id.name ?? "", Date.now()];
      if (!vitals.isDue("dispatcher", id, now)) return;
      const sessions = this.#core.connected().length;
      vitals.note("dispatcher", id, { polls: this.#polls.size, sessions }, now);
    }

    get #isOfTunnels(): boolean {
      return this.ctx.id.name !== HOST_POOL;
    }

    #closed(socket: WebSocket): void {
      this.#tunnels.closed(this.#sockets.of(socket));
      this.#sockets.forget(socket);
    }

    /**
     * A machine that disappears without closing its connection, for example because of a cut cable, sends no
     * pings.
     */
    #closeSilentTunnels(): void {
      for (const socket of this.ctx.getWebSockets()) {
        const ping = this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime();
        if (ping === undefined || Date.now() - ping < TUNNEL_SILENT_MS) continue;
        socket.close(TUNNEL_CLOSE.unavailable, "no_pings");
        this.#closed(socket);
      }
    }

    #endOthers(hostId: string): void {
      const others = this.#core.connected().filter((session) => session.hostId !== hostId);
      for (const { sessionId } of others) this.#endSession(sessionId);
      if (others.length > 0) this.ctx.waitUntil(this.#informQueues());
    }

    #tunnelPoll(
      request: Pick<DequeueRequest, "hostId" | "sessionId" | "max">,
      answer: (result: PollResult) => void,
    ): (() => void) | null {
      if (!this.#seen(request.hostId, request.sessionId)) return null;
      const poll = this.#wait(request, answer);
      return () => this.#polls.remove(poll);
    }

    /** Puts a poll in line, and answers it when there is something for it. */
    #wait(
      request: Pick<DequeueRequest, "hostId" | "sessionId" | "max">,
      resolve: (result: PollResult) => void,
    ): Poll {
      const { hostId, sessionId } = request;
      const max = this.#core.hosts.isDraining(hostId) ? 0 : request.max;
      this.#room.set(sessionId, this.#core.roomOf(sessionId) + max);
      this.#lastPoll += 1;
      const poll: Poll = { id: this.#lastPoll, hostId, sessionId, max };
      const pendingDelivery = this.#pending.take(sessionId);
      if (pendingDelivery.notices.length > 0 || pendingDelivery.runs.length > 0) {
        resolve(pendingDelivery);
        return poll;
      }
      this.#synced ??= this.#sync();
      this.#polls.add(poll, resolve);
      this.#noteVitals();
      this.#core.addPoll(poll);
      this.#pump();
      return poll;
    }

    /** Records a sign of life. Returns false when the session has ended: its host must start a new one. */
    #seen(hostId: string, sessionId: string): boolean {
      const ended = this.#core.seen(hostId, sessionId);
      if (ended === null) return false;
      this.#alarm.by(Date.now() + (this.#isOfTunnels ? TUNNEL_CHECK_MS : TICK_MS));
      for (const other of ended) this.#endSession(other);
      if (ended.length > 0) this.ctx.waitUntil(this.#informQueues());
      return true;
    }

    #endSession(sessionId: string): void {
      for (let poll = this.#core.pollOf(sessionId); poll; poll = this.#core.pollOf(sessionId)) {
        this.#polls.answer(poll, { ...nothing(), ended: true });
      }
      this.#core.end(sessionId);
      this.#forget(sessionId);
    }

    #forget(sessionId: string): void {
      this.#pending.forget(sessionId);
      this.#room.delete(sessionId);
    }

    /** Has the queues of ended sessions take their runs back. The alarm repeats what fails. */
    async #informQueues(): Promise<void> {
      for (const [sessionId, queueKeys] of this.#core.sessionsToEnd()) {
        await Promise.all(
          queueKeys.map(async (queueKey) => {
            try {
              await this.#stubs.queue(queueKey).hostSessionLost(sessionId);
              this.#core.queueInformed(sessionId, queueKey);
            } catch (error) {
              log.error("A queue could not be informed of a lost session; the alarm tries again", {
                queue: queueKey,
                session: sessionId,
                error,
              });
            }
          }),
        );
      }
    }

    /** Asks the environments for their states: after a restart, none of them has reported yet. */
    async #sync(): Promise<void> {
      await Promise.all(
        this.#core.environmentsToSync().map(async (key) => {
          try {
            const state = await this.#stubs.environment(key).syncState();
            if (state) this.#core.applyState(state);
          } catch (error) {
            log.error("An environment could not be asked; it says so itself when it has work", {
              environment: key,
              error,
            });
          }
        }),
      );
      this.#pump();
    }

    /** Serves waiting polls as long as something is ready. */
    #pump(): void {
      for (let assignments = this.#core.assign(); assignments; assignments = this.#core.assign()) {
        this.ctx.waitUntil(this.#serve(assignments));
      }
    }

    async #serve(assignments: Assignment[]): Promise<void> {
      const { poll } = assignments[0] as Assignment;
      this.#polls.serve(poll);
      const runs = (await Promise.all(assignments.map((assignment) => this.#ask(assignment)))).flat();
      if (runs.length > 0) this.#deliver(poll, runs);
      else this.#resume(poll);
      if (runs.length > 0) this.#pump();
      else setTimeout(() => this.#pump(), EMPTY_PAUSE_MS);
    }

    async #ask(assignment: Assignment): Promise<LeasedRun[]> {
      const { hostId, sessionId } = assignment.poll;
      try {
        const answer = await this.#stubs.environment(assignment.environmentKey).dequeueForHost({
          hostId,
          sessionId,
          max: assignment.max,
        });
        const { runs, ...state } = answer;
        this.#core.assigned(assignment, state);
        return runs;
      } catch (error) {
        log.error("An environment could not be asked for runs", {
          environment: assignment.environmentKey,
          error,
        });
        this.#core.assigned(assignment, null);
        return [];
      }
    }

    #deliver(poll: Poll, runs: LeasedRun[]): void {
      if (!this.#polls.has(poll) || !this.#core.isAlive(poll.sessionId)) {
        this.ctx.waitUntil(this.#giveBack(runs));
        this.#polls.answer(poll, { ...nothing(), ended: true });
        return;
      }
      this.#pending.supersede(runs);
      this.#core.remember(
        poll.sessionId,
        runs.map((run) => run.runId),
      );
      this.#room.set(poll.sessionId, (this.#room.get(poll.sessionId) ?? 0) - runs.length);
      this.#polls.answer(poll, this.#pending.takeWith(poll.sessionId, runs));
    }

    /** Returns runs to their queues at once: the host that they were for is gone. */
    async #giveBack(runs: LeasedRun[]): Promise<void> {
      const byQueue = Map.groupBy(runs, (run) => parseRunId(run.runId)?.queueKey ?? "");
      const calls = [...byQueue].map(([queueKey, leases]) =>
        this.#stubs.queue(queueKey).returnRuns(leases.map(({ runId, token }) => ({ runId, token }))),
      );
      // A run that could not be returned is queued again when its lease expires.
      await Promise.allSettled(calls);
    }

    #resume(poll: Poll): void {
      const state = this.#polls.resume(poll);
      if (!state) return;
      // The session ended while runs were being requested for this poll, which was not in line then.
      if (!this.#core.isAlive(poll.sessionId)) {
        this.#polls.answer(poll, { ...nothing(), ended: true });
        return;
      }
      const pendingDelivery = this.#pending.take(poll.sessionId);
      if (state === "overdue" || pendingDelivery.notices.length > 0 || pendingDelivery.runs.length > 0)
        this.#polls.answer(poll, pendingDelivery);
      else this.#core.putBack(poll);
    }
  };
}
