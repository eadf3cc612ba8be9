import { DurableObject } from "cloudflare:workers";
import { publicStatus, type RunStatus } from "@acme/sdk/contract";
import {
  LIVE_CLOSE,
  LIVE_LIMITS,
  LIVE_SUBPROTOCOL,
  type LiveEnvironment,
  type LiveFilter,
  type LiveLogLine,
} from "@acme/sdk/contract/live";
import type { StreamRecord } from "../feed/rpc.ts";
import { closeBack, ObjectSockets, savedOf } from "../lib/object-sockets.ts";
import { objectSql } from "../lib/sql.ts";
import { type ObjectBindings, stubs } from "../routing/stubs.ts";
import type { RunRecord, RunRow } from "../rpc.ts";
import { LIVE_PRINCIPAL_HEADER } from "./access.ts";
import type { SavedConnection } from "./connection.ts";
import { LiveHub } from "./hub.ts";
import { Interest } from "./interest.ts";
import { allSocketsOpen, socketsOpen } from "./open-sockets.ts";
import type { LiveDependencies, LiveInterest, LivePrincipal, LiveRpc, RunsPage } from "./rpc.ts";

/** People who are no longer members are disconnected within this time. */
const MEMBERS_CHECK_MS = 45_000;

function publicCounts(byStatus: Partial<Record<RunStatus, number>>): LiveEnvironment["counts"] {
  const counts: LiveEnvironment["counts"] = {};
  for (const [status, count] of Object.entries(byStatus)) {
    const name = publicStatus(status as RunStatus);
    counts[name] = (counts[name] ?? 0) + count;
  }
  return counts;
}

/**
 * The object of an environment's live side. It holds the watchers' sockets, which stay open while it
 * hibernates; what it needs when it wakes up is in their attachments.
 */
export function liveObject<Env extends ObjectBindings>(dependencies: LiveDependencies<Env>) {
  return class extends DurableObject<Env> implements LiveRpc {
    readonly #hub: LiveHub;
    readonly #sockets = new ObjectSockets<SavedConnection>();

    constructor(ctx: DurableObjectState, env: Env) {
      super(ctx, env);
      const environmentKey = ctx.id.name ?? "";
      const epoch = crypto.randomUUID().slice(0, 13);
      this.#hub = new LiveHub(
        {
          environmentKey,
          epoch,
          now: Date.now,
          listRuns: (filter, limit) => dependencies.listRuns(env, environmentKey, filter, limit),
          summaryOf: dependencies.summaryOf,
          listen: (queueKey, interest, runIds) =>
            stubs(env).queue(queueKey).listen(environmentKey, interest, runIds),
          environment: async () => {
            const [{ settings }, byStatus] = await Promise.all([
              stubs(env).environment(environmentKey).environmentStats(),
              dependencies.countUnfinished(env, environmentKey),
            ]);
            const { concurrencyLimit, burstFactor, paused } = settings;
            return { counts: publicCounts(byStatus), concurrencyLimit, burstFactor, paused };
          },
          watchLogs: (runId, after, limit) => stubs(env).feed(runId).watchLogs(runId, after, limit),
          lastLine: (runId) => stubs(env).feed(runId).lastLine(),
          watchStream: (runId, key) => stubs(env).feed(runId).watchStream(runId, key),
          readStream: (runId, key, after) =>
            stubs(env).feed(runId).readRecords(key, after, 0, LIVE_LIMITS.streamCharacters),
          authenticate: (token) => dependencies.authenticate(env, token),
          isValid: (principal) => dependencies.isValid(env, principal),
          keepAlive: (work) => ctx.waitUntil(work),
        },
        new Interest(objectSql(ctx.storage), Date.now, epoch),
      );
      // Answered without waking this object.
      ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
      for (const socket of ctx.getWebSockets()) {
        const saved = savedOf<SavedConnection>(socket);
        if (saved) this.#hub.restore(this.#sockets.of(socket), saved);
      }
      this.#counted();
    }

    /**
     * From the Worker only: opens a connection for an authenticated principal. Answers 503 if there is no
     * room.
     */
    override async fetch(request: Request): Promise<Response> {
      const principal = JSON.parse(
        request.headers.get(LIVE_PRINCIPAL_HEADER) ?? "null",
      ) as LivePrincipal | null;
      if (!principal || principal.environment.key !== this.ctx.id.name)
        return new Response(null, { status: 403 });
      const most = dependencies.mostSockets(this.env);
      if (this.#sockets.size >= most.each || allSocketsOpen() >= most.all)
        return new Response(null, { status: 503 });
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      this.#hub.connect(this.#sockets.of(server), principal);
      this.#counted();
      await this.#checkMembersSoon();
      return new Response(null, {
        status: 101,
        webSocket: client,
        headers: { "sec-websocket-protocol": LIVE_SUBPROTOCOL },
      });
    }

    async runsChanged(queueKey: string, rows: RunRow[], life: string | null): Promise<LiveInterest> {
      return this.#hub.runsChanged(queueKey, rows, life);
    }

    async logsAppended(runId: string, previous: number, lines: LiveLogLine[]): Promise<boolean> {
      return this.#hub.logsAppended(runId, previous, lines);
    }

    async streamAppended(
      runId: string,
      key: string,
      previous: number,
      records: StreamRecord[],
    ): Promise<boolean> {
      return this.#hub.streamAppended(runId, key, previous, records);
    }

    async waitForRun(runId: string, after: number, waitMs: number): Promise<RunRecord | "missing" | null> {
      return this.#hub.waitForRun(runId, after, waitMs);
    }

    async waitForRuns(
      filter: LiveFilter,
      limit: number,
      position: string | null,
      waitMs: number,
    ): Promise<RunsPage> {
      return this.#hub.waitForRuns(filter, limit, position, waitMs);
    }

    override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
      const live = this.#sockets.of(socket);
      if (typeof message === "string") await this.#hub.message(live, message);
      else live.close(LIVE_CLOSE.protocol, "binary_message");
    }

    override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
      this.#closed(socket);
      closeBack(socket, code);
    }

    override async webSocketError(socket: WebSocket): Promise<void> {
      this.#closed(socket);
    }

    /** Wakes this object while people are connected, so that former members are disconnected soon. */
    override async alarm(): Promise<void> {
      this.#hub.checkMembers();
      await this.#checkMembersSoon();
    }

    async #checkMembersSoon(): Promise<void> {
      if (!this.#hub.hasMembers || (await this.ctx.storage.getAlarm()) !== null) return;
      await this.ctx.storage.setAlarm(Date.now() + MEMBERS_CHECK_MS);
    }

    #closed(socket: WebSocket): void {
      this.#hub.closed(this.#sockets.of(socket));
      this.#sockets.forget(socket);
      this.#counted();
    }

    #counted(): void {
      socketsOpen(this.ctx.id.name ?? "", this.#sockets.size);
    }
  };
}
