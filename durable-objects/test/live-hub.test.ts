/** How the live side of an environment handles slow clients, expired tokens, sleep, and failing queues. */
import {
  LIVE_CLOSE,
  LIVE_LIMITS,
  type LiveEnvironment,
  type LiveServerMessage,
  type RunSummary,
} from "@acme/sdk/contract/live";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { StreamRecord } from "../src/feed/rpc.ts";
import { type LiveSocket, type SavedConnection, WINDOW, WINDOW_CHARACTERS } from "../src/live/connection.ts";
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

/** The data of the owners and of the query side, and the queues that can't be reached. */
let runs: Map<string, RunRecord>;
let away: boolean;
/** Calls that failed because a queue was unreachable. */
let refusals: number;
let interests: LiveInterest[];
/** The lines of the only log. */
let lastLine: number;
/** The records of the only stream. */
let records: StreamRecord[];
let now: number;
let principals: Map<string, LivePrincipal>;
let valid: boolean;
/** Owners answer after this promise. */
let beforeReading: Promise<void>;
let checks: number;
let listings: number;
let counts: LiveEnvironment["counts"];

/** Identifies the life of the hub. */
let life: string;

const noTables = { exec: () => [], transaction: <T>(work: () => T) => work() };

function newHub(): LiveHub {
  life = crypto.randomUUID().slice(0, 8);
  const host: HubHost = {
    environmentKey: ENVIRONMENT,
    epoch: life,
    now: () => now,
    listRuns: async (_filter, limit) => {
      listings += 1;
      const all = [...runs.values()].sort((a, b) => b.createdAt - a.createdAt);
      return { runs: all.slice(0, limit), more: all.length > limit };
    },
    summaryOf: (run: RunRow) => ({ id: run.id, status: run.status, tags: run.tags }) as unknown as RunSummary,
    listen: async (_queueKey, interest, runIds) => {
      if (away) {
        refusals += 1;
        throw new Error("the queue is away");
      }
      await beforeReading;
      interests.push(interest);
      return runIds.flatMap((id) => runs.get(id) ?? []);
    },
    environment: async () => ({ counts, concurrencyLimit: 1, burstFactor: 1, paused: false }),
    watchLogs: async (_runId, after) => ({ previous: after, lines: [], more: false }),
    lastLine: async () => {
      if (away) throw new Error("the feed is away");
      return lastLine;
    },
    watchStream: async () => records.length - 1,
    readStream: async (_runId, _key, after) => records.slice(after + 1, after + 4),
    authenticate: async (token) =>
      principals.get(token) ?? { error: { status: 401, code: "invalid_api_key", message: "unknown" } },
    isValid: async () => {
      checks += 1;
      return valid;
    },
    keepAlive: () => {},
  };
  return new LiveHub(host, new Interest(noTables, () => now, life));
}

let hub: LiveHub;
beforeEach(() => {
  runs = new Map();
  away = false;
  refusals = 0;
  interests = [];
  lastLine = 0;
  records = [];
  now = 1_000_000;
  principals = new Map();
  valid = true;
  beforeReading = Promise.resolve();
  checks = 0;
  listings = 0;
  counts = {};
  hub = newHub();
});

const change = (run: RunRecord): void => {
  runs.set(run.id, run);
  hub.runsChanged(QUEUE, [run], life);
};

async function connected(principal = everything): Promise<Socket> {
  const socket = new Socket();
  hub.connect(socket, principal);
  return socket;
}

const subscribe = (socket: Socket, target: object, id = "1") =>
  hub.message(socket, JSON.stringify({ type: "subscribe", id, target }));

/** A restored connection is held until its key is known to be valid. */
const keyChecked = () => new Promise((resolve) => setTimeout(resolve));
const settled = (what: () => void) => vi.waitFor(what, { timeout: 5_000, interval: 5 });

describe("a client that lags", () => {
  it("gets no more than its window, and the latest state when it has caught up", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    for (let version = 1; version <= 2 * WINDOW; version++) {
      const { length } = socket.messages;
      change(record(1, { version }));
      // Changes of one moment share a message: this one is sent before the next happens.
      await settled(() => expect(socket.saved?.behind || socket.messages.length > length).toBe(true));
    }
    await settled(() => expect(socket.saved?.behind).toBe(true));
    const before = socket.messages.length;
    expect(before).toBeLessThanOrEqual(WINDOW + 1);
    const other = await connected();
    await subscribe(other, { kind: "runs" });
    change(record(1, { version: 10_000, status: "EXECUTING" }));
    // All other clients have it by now.
    await settled(() => expect(other.of("changes").at(-1)?.runs[0]?.position).toBe(10_000));
    expect(socket.messages.length).toBe(before);
    await hub.message(socket, JSON.stringify({ type: "ack", count: before }));
    await settled(() => expect(socket.of("changes").at(-1)?.runs[0]?.position).toBe(10_000));
    expect(socket.messages.length).toBe(before + 1);
    expect(socket.saved?.behind).toBe(false);
  });

  it("is sent no more than it can take, and is closed if it never reads", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs", data: true });
    const payload = JSON.stringify("x".repeat(WINDOW_CHARACTERS / 4));
    for (let version = 1; version <= 8; version++) {
      change(record(1, { version, payload }));
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    // The characters of what it has not acknowledged are bounded, not only the number of messages.
    await settled(() => expect(socket.saved?.behind).toBe(true));
    expect(socket.of("changes").length).toBeLessThanOrEqual(5);
    // One that reads gets the latest state.
    const reader = socket.messages.length;
    await hub.message(socket, JSON.stringify({ type: "ack", count: reader }));
    await settled(() => expect(socket.of("changes").at(-1)?.runs[0]?.position).toBe(8));
    for (let version = 9; version <= 16; version++) {
      change(record(1, { version, payload }));
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
    await settled(() => expect(socket.saved?.behind).toBe(true));
    now += 121_000;
    change(record(1, { version: 17 }));
    await settled(() => expect(socket.closed).toBe(LIVE_CLOSE.unavailable));
  });

  it("can't fill the memory by asking again and again", async () => {
    const socket = await connected();
    for (let n = 0; n < 1_000; n++) await subscribe(socket, { kind: "runs" });
    expect(socket.closed).toBe(LIVE_CLOSE.unavailable);
    expect(socket.messages.length).toBeLessThan(600);
  });

  it("learns where a log ends after this object hibernated, and requests the lines that it lacks", async () => {
    runs.set(runId(1), record(1));
    const socket = await connected();
    await subscribe(socket, { kind: "logs", runId: runId(1), after: 0 });
    const lines = (seq: number) => [{ seq, attempt: 1, time: 1, level: "info" as const, message: "m" }];
    for (; socket.saved?.behind === false; lastLine++)
      hub.logsAppended(runId(1), lastLine, lines(lastLine + 1));
    const known = socket.of("logs").at(-1)?.lines[0]?.seq;
    expect(known).toBe(lastLine - 1);
    hub = newHub();
    away = true;
    hub.restore(socket, socket.saved as SavedConnection);
    await keyChecked();
    away = false;
    await settled(() => expect(socket.of("logs").at(-1)).toMatchObject({ previous: lastLine, lines: [] }));
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

it("informs the queue of a watched run even while its log is being opened", async () => {
  runs.set(runId(1), record(1));
  const { promise, resolve } = Promise.withResolvers<void>();
  beforeReading = promise;
  const socket = await connected();
  const logs = subscribe(socket, { kind: "logs", runId: runId(1), after: 0 }, "1");
  const run = subscribe(socket, { kind: "run", runId: runId(1) }, "2");
  resolve();
  await Promise.all([logs, run]);
  expect(interests.at(-1)?.runs).toEqual([runId(1)]);
});

describe("columns that are skipped", () => {
  const full = (version: number) => record(1, { version, output: '"o"', outputType: "application/json" });

  it("are not sent, as each subscription requests", async () => {
    runs.set(runId(1), full(1));
    const [all, some] = [await connected(), await connected()];
    for (const socket of [all, some]) {
      const skipped = socket === some ? { skipColumns: ["payload", "runTags", "completedAt"] } : {};
      await subscribe(socket, { kind: "run", runId: runId(1), ...skipped }, "1");
      await subscribe(socket, { kind: "runs", data: true, ...skipped }, "2");
    }
    change(full(2));
    await settled(() => expect(some.of("changes")).toHaveLength(1));
    await settled(() => expect(some.of("run")).toHaveLength(2));
    expect(all.of("run")[0]?.run).toMatchObject({ tags: ["t"], data: { payload: {}, output: {} } });
    expect(all.of("changes")[0]?.runs[0]).toMatchObject({ tags: ["t"], data: { payload: {}, output: {} } });
    const shown = [
      ...some.of("run").map(({ run }) => run),
      ...[...some.of("snapshot"), ...some.of("changes")].flatMap(({ runs: list }) => list),
    ];
    expect(shown.map(({ position }) => position)).toEqual([1, 2, 1, 2]);
    for (const { tags, data } of shown) {
      expect(tags).toEqual([]);
      expect(data).toMatchObject({ output: { data: '"o"' } });
      expect(data).not.toHaveProperty("payload");
    }
  });

  it("are those of the token, whatever the subscription requests, also after this object hibernated", async () => {
    runs.set(runId(1), full(1));
    const token: LivePrincipal = { ...everything, skipColumns: ["output"] };
    const socket = await connected(token);
    await subscribe(socket, { kind: "run", runId: runId(1), skipColumns: ["payload"] });
    hub = newHub();
    hub.restore(socket, socket.saved as SavedConnection);
    change(full(2));
    await settled(() => expect(socket.of("run")).toHaveLength(2));
    expect(socket.of("run")[0]?.run.data).toHaveProperty("payload");
    for (const { run } of socket.of("run")) expect(run.data).not.toHaveProperty("output");
    // A token that shows something else: the client comes again, and is shown that.
    principals.set("other", everything);
    await hub.message(socket, JSON.stringify({ type: "auth", token: "other" }));
    expect(socket.closed).toBe(LIVE_CLOSE.unavailable);
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
  it("yields the changes since then in the same life of the object, and a snapshot in another", async () => {
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
  it("that expires stops messages until another one arrives, and loses nothing", async () => {
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

  it("with fewer rights ends what it does not allow, and one of another environment ends the connection", async () => {
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

  it("that was revoked while nothing was sent gets nothing more", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    valid = false;
    now += 61_000;
    change(record(1));
    await settled(() => expect(socket.closed).toBe(LIVE_CLOSE.unauthorized));
    expect(socket.of("changes")).toEqual([]);
  });

  it("that was revoked while this object slept gets nothing more", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    valid = false;
    hub = newHub();
    hub.restore(socket, socket.saved as SavedConnection);
    change(record(1));
    await settled(() => expect(socket.closed).toBe(LIVE_CLOSE.unauthorized));
    expect(socket.of("changes")).toEqual([]);
  });

  it("that is still valid after a long silence gets the changes that arrived during the check", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    now += 61_000;
    change(record(1));
    await settled(() => expect(socket.of("changes").at(-1)?.runs[0]?.id).toBe(runId(1)));
  });

  it("is checked once for all connections that have it", async () => {
    const sockets: Socket[] = [];
    for (let n = 0; n < 100; n++) {
      const socket = await connected();
      await subscribe(socket, { kind: "runs" });
      sockets.push(socket);
    }
    now += 31_000;
    checks = 0;
    change(record(1));
    await settled(() => {
      for (const socket of sockets) expect(socket.of("changes")).toHaveLength(1);
    });
    expect(checks).toBe(1);
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

describe("a list that a run may leave", () => {
  const executing = { kind: "runs", filter: { statuses: ["EXECUTING"] } };
  const removed = (socket: Socket) => socket.of("changes").flatMap((message) => message.removed);

  it("reports that it left, and nothing about runs that were never in the list", async () => {
    const socket = await connected();
    runs.set(runId(1), record(1, { status: "EXECUTING" }));
    hub.runsChanged(QUEUE, [record(1, { status: "EXECUTING" })], life);
    await subscribe(socket, executing);
    change(record(2, { status: "PENDING" }));
    change(record(1, { version: 2, status: "COMPLETED_SUCCESSFULLY" }));
    change(record(3, { status: "COMPLETED_SUCCESSFULLY" }));
    await settled(() => expect(removed(socket)).toEqual([runId(1)]));
  });

  it("by its tags or its machine too", async () => {
    const socket = await connected();
    change(record(1, { tags: ["a"], machine: "small-1x" }));
    await subscribe(socket, { kind: "runs", filter: { tags: ["a"] } }, "tags");
    await subscribe(socket, { kind: "runs", filter: { machines: ["small-1x"] } }, "machine");
    change(record(1, { version: 2, tags: ["b"], machine: "large-1x" }));
    await settled(() => expect(removed(socket)).toEqual([runId(1), runId(1)]));
  });

  it("reports its state to a client that also shows older runs, if it may have been in the list", async () => {
    const socket = await connected();
    const filter = { statuses: ["EXECUTING"], tags: ["t"] };
    await subscribe(socket, { kind: "runs", filter, left: true });
    const over = { version: 2, status: "COMPLETED_SUCCESSFULLY" } as const;
    hub.runsChanged(QUEUE, [record(1, over), record(2, { ...over, tags: ["u"] })], life);
    await settled(() => expect(socket.of("changes")).toHaveLength(1));
    expect(socket.of("changes")[0]).toMatchObject({
      runs: [],
      removed: [],
      left: [{ id: runId(1), status: "COMPLETED_SUCCESSFULLY" }],
    });
  });

  it("is also reported to a client that is just being sent what it missed", async () => {
    const socket = await connected({ ...everything, scopes: ["read:runs"], expiresAt: 1_001_000 });
    runs.set(runId(1), record(1, { status: "EXECUTING" }));
    await subscribe(socket, { ...executing, data: true });
    const witness = await connected();
    await subscribe(witness, executing);
    now += 2_000;
    // It is too large to be kept, and is read again.
    const payload = JSON.stringify("x".repeat(9 * 1024 * 1024));
    change(record(1, { version: 2, status: "EXECUTING", payload }));
    await settled(() => expect(socket.of("expired")).toHaveLength(1));
    // While the run is read for what it missed, the run leaves the list.
    const reading = Promise.withResolvers<void>();
    beforeReading = reading.promise;
    principals.set("next", { ...everything, expiresAt: 9_000_000 });
    await hub.message(socket, JSON.stringify({ type: "auth", token: "next" }));
    hub.runsChanged(QUEUE, [record(1, { version: 3, status: "COMPLETED_SUCCESSFULLY" })], life);
    await settled(() => expect(removed(witness)).toEqual([runId(1)]));
    expect(removed(socket)).toEqual([]);
    reading.resolve();
    await settled(() => expect(removed(socket)).toEqual([runId(1)]));
    // When the next change is sent, all that came of this one was.
    change(record(2, { status: "EXECUTING" }));
    await settled(() => expect(witness.of("changes").at(-1)?.runs[0]?.id).toBe(runId(2)));
    expect(removed(socket)).toEqual([runId(1)]);
    const last = socket.of("changes").at(-1);
    expect([last?.removed, last?.runs]).toEqual([[runId(1)], []]);
  });

  it("is also reported if the list was sent before this object hibernated", async () => {
    const socket = await connected();
    change(record(1, { status: "EXECUTING" }));
    await subscribe(socket, executing);
    hub = newHub();
    hub.restore(socket, socket.saved as SavedConnection);
    change(record(1, { version: 2, status: "COMPLETED_SUCCESSFULLY" }));
    await settled(() => expect(removed(socket)).toEqual([runId(1)]));
  });

  it("is not filled with states of before a queue kept silent", async () => {
    const first = await connected();
    await subscribe(first, executing);
    change(record(1, { version: 3, status: "EXECUTING" }));
    hub.closed(first);
    // The queue learns that nobody listens, and does not send the run's end.
    hub.runsChanged(QUEUE, [], life);
    runs.delete(runId(1));
    const later = await connected();
    await subscribe(later, executing);
    expect(later.of("snapshot")[0]?.runs).toEqual([]);
  });

  it("is not given an earlier state by a call that arrives after a queue kept silent", async () => {
    const first = await connected();
    await subscribe(first, executing);
    change(record(1, { version: 3, status: "COMPLETED_SUCCESSFULLY" }));
    hub.closed(first);
    hub.runsChanged(QUEUE, [], life);
    const later = await connected();
    await subscribe(later, executing);
    hub.runsChanged(QUEUE, [record(1, { version: 2, status: "EXECUTING" })], life);
    change(record(2, { status: "EXECUTING" }));
    await settled(() => expect(later.of("changes")).toHaveLength(1));
    expect(later.of("changes")[0]?.runs.map(({ id }) => id)).toEqual([runId(2)]);
    // The state that was known before counts again once the queue sends it again.
    hub.runsChanged(QUEUE, [record(3, { version: 5, status: "EXECUTING" })], life);
    hub.closed(later);
    hub.runsChanged(QUEUE, [], life);
    await subscribe(await connected(), executing);
    hub.runsChanged(QUEUE, [record(3, { version: 5, status: "EXECUTING" })], life);
    const last = await connected();
    await subscribe(last, executing);
    expect(last.of("snapshot")[0]?.runs.map(({ id }) => id)).toContain(runId(3));
  });

  it("restarts for a client that was disconnected while a queue was silent", async () => {
    const first = await connected();
    await subscribe(first, { kind: "runs" });
    change(record(1));
    await settled(() => expect(first.of("changes")).toHaveLength(1));
    const position = first.of("changes")[0]?.position;
    hub.closed(first);
    hub.runsChanged(QUEUE, [], life);
    runs.set(runId(2), record(2));
    const again = await connected();
    await subscribe(again, { kind: "runs", position });
    expect(again.of("snapshot")[0]?.runs).toHaveLength(2);
  });
});

it("costs a queue the same with 1,000 watchers as with one", async () => {
  const asked: LiveInterest[][] = [];
  for (const watchers of [1, 1_000]) {
    hub = newHub();
    runs.set(runId(1), record(1));
    const sockets: Socket[] = [];
    for (let n = 0; n < watchers; n++) {
      const socket = await connected();
      await subscribe(socket, { kind: "runs", filter: { tags: ["t"] }, data: true }, "list");
      await subscribe(socket, { kind: "run", runId: runId(1) }, "run");
      sockets.push(socket);
    }
    interests = [];
    const answer = hub.runsChanged(QUEUE, [record(1, { version: 2 })], life);
    runs.set(runId(1), record(1, { version: 2 }));
    await settled(() => {
      for (const socket of sockets) expect(socket.of("run").at(-1)?.run.position).toBe(2);
    });
    for (const socket of sockets) expect(socket.of("changes").at(-1)?.runs[0]?.position).toBe(2);
    asked.push([answer, ...interests].map((interest) => ({ ...interest, at: 0, life: "" })));
  }
  // The answer to its call, and one read of the run for all of them.
  expect(asked[0]).toHaveLength(2);
  expect(asked[1]).toEqual(asked[0]);
});

it("reads and writes a list once for all clients that connect while nothing changes", async () => {
  runs.set(runId(1), record(1));
  listings = 0;
  const sockets: Socket[] = [];
  for (let n = 0; n < 100; n++) {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    sockets.push(socket);
  }
  expect(listings).toBe(1);
  for (const socket of sockets)
    expect(socket.of("snapshot")[0]?.runs.map(({ id }) => id)).toEqual([runId(1)]);
  change(record(2));
  const later = await connected();
  await subscribe(later, { kind: "runs" });
  expect(later.of("snapshot")[0]?.runs.map(({ id }) => id)).toEqual([runId(2), runId(1)]);
});

it("accepts no rows that were meant for another life of it: they may be older than that life's rows", async () => {
  const socket = await connected();
  await subscribe(socket, { kind: "runs" });
  expect(hub.runsChanged(QUEUE, [record(1)], "another life")).toMatchObject({ life, all: true });
  change(record(2));
  await settled(() => expect(socket.of("changes")).toHaveLength(1));
  expect(socket.of("changes")[0]?.runs.map(({ id }) => id)).toEqual([runId(2)]);
});

describe("the counts of the environment", () => {
  it("are read again until the query side must have followed", async () => {
    vi.useFakeTimers();
    try {
      const socket = await connected();
      await subscribe(socket, { kind: "environment" });
      counts = { QUEUED: 1 };
      change(record(1));
      await vi.advanceTimersByTimeAsync(3_000);
      expect(socket.of("environment").at(-1)?.environment.counts).toEqual({ QUEUED: 1 });
      // The query side was unreachable for a while.
      await vi.advanceTimersByTimeAsync(10_000);
      counts = {};
      await vi.advanceTimersByTimeAsync(60_000);
      expect(socket.of("environment").at(-1)?.environment.counts).toEqual({});
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("the query side and the owners", () => {
  it("are overlaid with newer known states, and never show an older one", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    // Changed and not on the query side yet; and one that the query side still has in an earlier state.
    hub.runsChanged(QUEUE, [record(1, { version: 4, status: "EXECUTING" })], life);
    runs.set(runId(1), record(1, { version: 2 }));
    hub.runsChanged(QUEUE, [record(1, { version: 3 })], life);
    const later = await connected();
    await subscribe(later, { kind: "runs" });
    expect(later.of("snapshot")[0]?.runs).toMatchObject([{ id: runId(1), position: 4 }]);
    await subscribe(later, { kind: "runs", filter: { statuses: ["QUEUED"] } }, "2");
    expect(later.of("snapshot").at(-1)?.runs).toEqual([]);
  });

  it("are asked again if a queue is unreachable", async () => {
    runs.set(runId(1), record(1));
    const socket = await connected();
    await subscribe(socket, { kind: "run", runId: runId(1) });
    away = true;
    change(record(1, { version: 2 }));
    await settled(() => expect(refusals).toBeGreaterThan(1));
    expect(socket.of("run")).toHaveLength(1);
    away = false;
    await settled(() => expect(socket.of("run").at(-1)?.run.position).toBe(2));
  });

  it("learn that nobody listens as soon as that is the case", async () => {
    const socket = await connected();
    await subscribe(socket, { kind: "runs" });
    expect(hub.runsChanged(QUEUE, [], life)).toMatchObject({ all: true });
    hub.closed(socket);
    expect(hub.runsChanged(QUEUE, [], life)).toMatchObject({ all: false, runs: [] });
    // From now on this queue sends nothing; the next client makes it send again before the list is read.
    interests = [];
    await subscribe(await connected(), { kind: "runs" });
    expect(interests).toMatchObject([{ all: true }]);
  });
});

it("refuses invalid and too many messages, and continues", async () => {
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

describe("a stream", () => {
  const stream = { kind: "stream", runId: runId(1), key: "tokens" };
  const write = (count: number): boolean => {
    const previous = records.length - 1;
    const added = Array.from({ length: count }, (_, i) => ({
      seq: previous + 1 + i,
      time: 1,
      body: JSON.stringify(`chunk ${previous + 1 + i}`),
    }));
    records.push(...added);
    return hub.streamAppended(runId(1), "tokens", previous, added);
  };
  const seqsOf = (socket: Socket) =>
    socket.of("stream").flatMap(({ records }) => records.map(({ seq }) => seq));
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
  const handled = (socket: Socket, seq: number) =>
    hub.message(socket, JSON.stringify({ type: "handled", id: "1", seq }));

  beforeEach(() => runs.set(runId(1), record(1, { status: "EXECUTING" })));

  it("delivers existing and new records, from a position or the latest, and ends with its run", async () => {
    write(5);
    const [all, late, latest] = [await connected(), await connected(), await connected()];
    await subscribe(all, stream);
    await subscribe(late, { ...stream, after: 3 });
    await subscribe(latest, { ...stream, from: "latest" });
    expect(write(2)).toBe(true);
    expect(seqsOf(all)).toEqual(upTo(7));
    expect(all.of("stream")[1]?.records[0]).toEqual({ seq: 0, time: 1, chunk: "chunk 0" });
    expect(seqsOf(late)).toEqual([4, 5, 6]);
    expect(latest.of("stream")[0]).toMatchObject({ previous: 3, records: [] });
    expect(seqsOf(latest)).toEqual([4, 5, 6]);
    change(record(1, { version: 2, status: "COMPLETED_SUCCESSFULLY" }));
    for (const socket of [all, late, latest]) {
      await settled(() => expect(socket.of("stream").at(-1)).toMatchObject({ previous: 6, end: true }));
      expect(socket.of("stream").filter(({ end }) => end)).toHaveLength(1);
    }
    expect(write(0)).toBe(false);
    const after = await connected();
    await subscribe(after, stream);
    await settled(() => expect(after.of("stream").at(-1)?.end).toBe(true));
    expect(seqsOf(after)).toEqual(upTo(7));
  });

  it("waits for a reader that handles nothing, and then resumes where it stopped, each record once", async () => {
    const [slow, quick] = [await connected(), await connected()];
    await subscribe(slow, stream);
    await subscribe(quick, stream);
    for (let n = 0; n < 3 * LIVE_LIMITS.streamWindow; n++) {
      write(1);
      await handled(quick, n);
    }
    await settled(() => expect(seqsOf(quick)).toEqual(upTo(3 * LIVE_LIMITS.streamWindow)));
    expect(seqsOf(slow)).toEqual(upTo(LIVE_LIMITS.streamWindow));
    // Other subscriptions of the connection are not held up.
    change(record(2));
    await subscribe(slow, { kind: "run", runId: runId(2) }, "2");
    expect(slow.of("run")).toHaveLength(1);
    for (let seen: number = LIVE_LIMITS.streamWindow; seen < records.length; seen = seqsOf(slow).length) {
      await handled(slow, seen - 1);
      await settled(() => expect(seqsOf(slow).length).toBeGreaterThan(seen));
    }
    expect(seqsOf(slow)).toEqual(upTo(records.length));
  });

  it("ends for a slow reader also if this object slept after the run had ended", async () => {
    const socket = await connected();
    await subscribe(socket, stream);
    for (let n = 0; n < 2 * LIVE_LIMITS.streamWindow; n++) write(1);
    change(record(1, { version: 2, status: "COMPLETED_SUCCESSFULLY" }));
    expect(seqsOf(socket)).toEqual(upTo(LIVE_LIMITS.streamWindow));
    hub = newHub();
    hub.restore(socket, socket.saved as SavedConnection);
    await keyChecked();
    await handled(socket, LIVE_LIMITS.streamWindow - 1);
    await settled(() => expect(socket.of("stream").at(-1)?.end).toBe(true));
    expect(seqsOf(socket)).toEqual(upTo(records.length));
  });

  it("shows a gap to a client that missed records while this object slept", async () => {
    const socket = await connected();
    await subscribe(socket, stream);
    write(2);
    hub = newHub();
    hub.restore(socket, socket.saved as SavedConnection);
    await keyChecked();
    records.push({ seq: 2, time: 1, body: "2" });
    // The notice of that was lost.
    write(1);
    expect(socket.of("stream").at(-1)).toMatchObject({ previous: 2, records: [{ seq: 3 }] });
    await subscribe(socket, { ...stream, after: 1 });
    expect(seqsOf(socket).slice(-2)).toEqual([2, 3]);
    hub = newHub();
    hub.restore(socket, socket.saved as SavedConnection);
    change(record(1, { version: 2, status: "COMPLETED_SUCCESSFULLY" }));
    await settled(() => expect(socket.of("stream").at(-1)).toMatchObject({ previous: 3, end: true }));
  });

  it("is refused where its run may not be read", async () => {
    const socket = await connected({ ...everything, scopes: ["read:runs:run_other"] });
    await subscribe(socket, stream);
    await subscribe(socket, { ...stream, key: "$input:x" }, "2");
    expect(socket.of("error")).toMatchObject([
      { id: "1", status: 403, code: "not_allowed" },
      { id: "2", status: 400, code: "invalid_message" },
    ]);
  });
});
