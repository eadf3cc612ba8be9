/** What the live side of an environment does with slow clients, expired tokens, sleep, and queues that fail. */
import { LIVE_LIMITS, type LiveServerMessage, type RunSummary } from "@acme/sdk/contract/live";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type LiveSocket, type SavedConnection, WINDOW } from "../src/live/connection.ts";
import { LiveHub } from "../src/live/hub.ts";
import type { HubHost } from "../src/live/hub-host.ts";
import { Interest } from "../src/live/interest.ts";
import type { LiveInterest, LivePrincipal } from "../src/live/rpc.ts";
import type { RunRecord, RunRow } from "../src/rpc.ts";

const ENVIRONMENT = "env00001";
const QUEUE = `${ENVIRONMENT}queue00001`;
const runId = (n: number): string => `run_${QUEUE}${String(n).padStart(17, "0")}`;

const record = (n: number, more: Partial<RunRecord> = {}): RunRecord =>
  ({
    id: runId(n),
    environmentKey: ENVIRONMENT,
    task: "hello",
    queue: "task/hello",
    status: "PENDING",
    version: 1,
    tags: ["t"],
    createdAt: n,
    updatedAt: n,
    batchId: null,
    deploymentVersion: null,
    payload: '"p"',
    payloadType: "application/json",
    output: null,
    outputType: null,
    metadata: null,
    metadataType: "application/json",
    error: null,
    attemptRecords: [],
    ...more,
  }) as RunRecord;

const everything: LivePrincipal = {
  environment: { key: ENVIRONMENT, id: "env_1", slug: "prod" },
  scopes: null,
  expiresAt: null,
  proof: "key x",
};

class Socket implements LiveSocket {
  readonly messages: LiveServerMessage[] = [];
  saved: SavedConnection | null = null;
  closed: number | null = null;
  send(text: string): void {
    this.messages.push(JSON.parse(text) as LiveServerMessage);
  }
  close(code: number): void {
    this.closed = code;
  }
  save(state: SavedConnection): boolean {
    this.saved = structuredClone(state);
    return true;
  }
  of<T extends LiveServerMessage["type"]>(type: T) {
    return this.messages.filter((message) => message.type === type) as Extract<
      LiveServerMessage,
      { type: T }
    >[];
  }
}

/** What the owners and the query side have, and which queues can't be reached. */
let runs: Map<string, RunRecord>;
let away: boolean;
let interests: LiveInterest[];
let now: number;
let principals: Map<string, LivePrincipal>;
let valid: boolean;

const noTables = { exec: () => [], transaction: <T>(work: () => T) => work() };

function newHub(): LiveHub {
  const host: HubHost = {
    environmentKey: ENVIRONMENT,
    epoch: crypto.randomUUID().slice(0, 8),
    now: () => now,
    listRuns: async (_filter, limit) => {
      const all = [...runs.values()].sort((a, b) => b.createdAt - a.createdAt);
      return { runs: all.slice(0, limit), more: all.length > limit };
    },
    summaryOf: (run: RunRow) => ({ id: run.id, status: run.status, tags: run.tags }) as unknown as RunSummary,
    listen: async (_queueKey, interest, runIds) => {
      if (away) throw new Error("the queue is away");
      interests.push(interest);
      return runIds.flatMap((id) => runs.get(id) ?? []);
    },
    environment: async () => ({ counts: {}, concurrencyLimit: 1, burstFactor: 1, paused: false }),
    watchLogs: async (_runId, after) => ({ previous: after, lines: [], more: false }),
    authenticate: async (token) =>
      principals.get(token) ?? { error: { status: 401, code: "invalid_api_key", message: "unknown" } },
    isValid: async () => valid,
    keepAlive: () => {},
  };
  return new LiveHub(host, new Interest(noTables, () => now));
}

let hub: LiveHub;
beforeEach(() => {
  runs = new Map();
  away = false;
  interests = [];
  now = 1_000_000;
  principals = new Map();
  valid = true;
  hub = newHub();
});

const change = (run: RunRecord): void => {
  runs.set(run.id, run);
  hub.runsChanged(QUEUE, [run]);
};

async function connected(principal = everything): Promise<Socket> {
  const socket = new Socket();
  hub.connect(socket, principal);
  return socket;
}

const subscribe = (socket: Socket, target: object, id = "1") =>
  hub.message(socket, JSON.stringify({ type: "subscribe", id, target }));

const settled = (what: () => void) => vi.waitFor(what, { timeout: 5_000, interval: 5 });

describe("a client that lags", () => {
  it("gets no more than its window, and the latest state when it has caught up", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    for (let version = 1; version <= 2 * WINDOW; version++) {
      change(record(1, { version }));
      await new Promise((resolve) => setTimeout(resolve, 12));
    }
    await settled(() => expect(socket.saved?.behind).toBe(true));
    const before = socket.messages.length;
    expect(before).toBeLessThanOrEqual(WINDOW + 1);
    change(record(1, { version: 10_000, status: "EXECUTING" }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(socket.messages.length).toBe(before);
    await hub.message(socket, JSON.stringify({ type: "ack", count: before }));
    await settled(() => expect(socket.of("changes").at(-1)?.runs[0]?.position).toBe(10_000));
    expect(socket.messages.length).toBe(before + 1);
    expect(socket.saved?.behind).toBe(false);
  });

  it("gets a snapshot after this object slept meanwhile", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    runs.set(runId(1), record(1, { version: 7 }));
    hub = newHub();
    hub.restore(socket, { ...(socket.saved as SavedConnection), behind: true });
    await settled(() => expect(socket.of("snapshot").at(-1)?.runs[0]?.position).toBe(7));
  });
});

describe("a connection of before this object was put to sleep", () => {
  it("gets what changes from then on", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    await subscribe(socket, { kind: "run", runId: runId(1) }, "2").catch(() => {});
    runs.set(runId(2), record(2));
    await subscribe(socket, { kind: "run", runId: runId(2) }, "3");
    hub = newHub();
    hub.restore(socket, socket.saved as SavedConnection);
    change(record(2, { version: 5, status: "EXECUTING" }));
    await settled(() => expect(socket.of("changes").at(-1)?.runs[0]?.position).toBe(5));
    await settled(() => expect(socket.of("run").at(-1)?.run.position).toBe(5));
  });
});

describe("a position", () => {
  it("brings what changed since, in the same life of the object, and a snapshot in another", async () => {
    const first = await connected();
    await subscribe(first, { kind: "runs" });
    change(record(1));
    await settled(() => expect(first.of("changes")).toHaveLength(1));
    const { position } = first.of("changes")[0] as { position: string };
    change(record(2));
    const again = await connected();
    await subscribe(again, { kind: "runs", position });
    expect(again.of("snapshot")).toHaveLength(0);
    expect(again.of("changes")[0]?.runs.map(({ id }) => id)).toEqual([runId(2)]);
    hub = newHub();
    const later = await connected();
    await subscribe(later, { kind: "runs", position });
    expect(later.of("snapshot")[0]?.runs).toHaveLength(2);
  });
});

describe("a token", () => {
  const short: LivePrincipal = { ...everything, scopes: ["read:tags:t"], expiresAt: 1_001_000 };
  it("that expires stops what is sent until another one comes, and loses nothing", async () => {
    const socket = await connected(short);
    await subscribe(socket, { kind: "runs", filter: { tags: ["t"] } });
    now += 2_000;
    change(record(1, { version: 3 }));
    await settled(() => expect(socket.of("expired")).toHaveLength(1));
    expect(socket.of("changes")).toHaveLength(0);
    principals.set("next", { ...short, expiresAt: 9_000_000 });
    await hub.message(socket, JSON.stringify({ type: "auth", token: "next" }));
    expect(socket.of("authenticated")).toHaveLength(1);
    await settled(() => {
      const shown = [...socket.of("snapshot"), ...socket.of("changes")].at(-1);
      expect(shown?.runs[0]?.position).toBe(3);
    });
  });

  it("of less rights ends what it does not allow, and one of another environment the connection", async () => {
    const socket = await connected(short);
    await subscribe(socket, { kind: "runs", filter: { tags: ["t"] } });
    principals.set("less", { ...short, scopes: ["read:tags:other"] });
    await hub.message(socket, JSON.stringify({ type: "auth", token: "less" }));
    expect(socket.of("error")).toMatchObject([{ id: "1", status: 403, code: "not_allowed" }]);
    const other = { ...everything.environment, key: "env00002" };
    principals.set("other", { ...everything, environment: other });
    await hub.message(socket, JSON.stringify({ type: "auth", token: "other" }));
    expect(socket.closed).toBe(4401);
  });

  it("that was revoked ends the connection", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    valid = false;
    now += 31_000;
    change(record(1));
    await settled(() => expect(socket.closed).toBe(4401));
  });
});

describe("the query side and the owners", () => {
  it("are overlaid with what is known to be newer, of which nothing older is shown", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    // Changed and not on the query side yet; and one that the query side still has in an earlier state.
    hub.runsChanged(QUEUE, [record(1, { version: 4, status: "EXECUTING" })]);
    runs.set(runId(1), record(1, { version: 2 }));
    hub.runsChanged(QUEUE, [record(1, { version: 3 })]);
    const later = await connected();
    await subscribe(later, { kind: "runs" });
    expect(later.of("snapshot")[0]?.runs).toMatchObject([{ id: runId(1), position: 4 }]);
    await subscribe(later, { kind: "runs", filter: { statuses: ["QUEUED"] } }, "2");
    expect(later.of("snapshot").at(-1)?.runs).toEqual([]);
  });

  it("are asked again where a queue is away", async () => {
    runs.set(runId(1), record(1));
    const socket = await connected();
    await subscribe(socket, { kind: "run", runId: runId(1) });
    away = true;
    change(record(1, { version: 2 }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(socket.of("run")).toHaveLength(1);
    away = false;
    await settled(() => expect(socket.of("run").at(-1)?.run.position).toBe(2));
  });

  it("hear that nobody listens as soon as that is so", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    expect(hub.runsChanged(QUEUE, [])).toMatchObject({ all: true });
    hub.closed(socket);
    expect(hub.runsChanged(QUEUE, [])).toMatchObject({ all: false, runs: [] });
    // From now on this queue keeps silent; whoever comes next makes it speak before the list is read.
    interests = [];
    await subscribe(await connected(), { kind: "runs" });
    expect(interests).toMatchObject([{ all: true }]);
  });
});

it("refuses what is too much, or no message, and goes on", async () => {
  const socket = await connected();
  await hub.message(socket, "{");
  await hub.message(socket, "x".repeat(LIVE_LIMITS.messageLength + 1));
  await hub.message(socket, JSON.stringify({ type: "subscribe", id: "7", target: { kind: "nothing" } }));
  await hub.message(
    socket,
    JSON.stringify({ type: "subscribe", id: "8", target: { kind: "run", runId: "no" } }),
  );
  for (let n = 0; n <= LIVE_LIMITS.subscriptionsPerSocket; n++)
    await subscribe(socket, { kind: "runs", filter: { tags: [`t${n}`] } }, `s${n}`);
  expect(socket.of("error").map(({ id, code }) => [id, code])).toEqual([
    [undefined, "invalid_json"],
    [undefined, "message_too_large"],
    ["7", "invalid_message"],
    ["8", "invalid_message"],
    [`s${LIVE_LIMITS.subscriptionsPerSocket}`, "too_many_subscriptions"],
  ]);
  expect(socket.closed).toBeNull();
});
