/** What a queue sends to its watchers: nothing without watchers, and each change that a watcher may lack. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LiveInterest } from "../src/live/rpc.ts";
import { LiveNotifier } from "../src/queue/live-notifier.ts";
import type { ProjectionCursor } from "../src/queue/projection.ts";
import type { RunRow } from "../src/rpc.ts";

const END = Number.MAX_SAFE_INTEGER;

/** The queue: each run has the version of its last change. */
let runs: Map<string, number>;
let version: number;
/** The stored position up to which rows were projected. */
let stored: ProjectionCursor;
let calls: { rows: string[]; life: string | null }[];
let interest: LiveInterest;
let away: boolean;
let notifier: LiveNotifier;

function newNotifier(): LiveNotifier {
  return new LiveNotifier(
    {
      now: () => ({ version, seq: END }),
      projected: () => stored,
      next: (from, limit) => {
        const rows = [...runs]
          .filter(([, at]) => at > from.version)
          .sort(([, a], [, b]) => a - b)
          .slice(0, limit);
        const last = rows.at(-1);
        return {
          rows: rows.map(([id, at]) => ({ id, version: at }) as RunRow),
          cursor: last ? { version: last[1], seq: 1 } : from,
        };
      },
    },
    async (rows, life) => {
      if (away) throw new Error("away");
      calls.push({ rows: rows.map((row) => `${row.id}@${row.version}`), life });
      interest = { ...interest, at: interest.at + 1 };
      return interest;
    },
  );
}

beforeEach(() => {
  vi.useFakeTimers();
  runs = new Map();
  version = 0;
  stored = { version: 0, seq: 0 };
  calls = [];
  interest = { at: 1, life: "one", all: true, runs: [], forMs: 60_000 };
  away = false;
  notifier = newNotifier();
});
afterEach(() => vi.useRealTimers());

function change(runId: string): void {
  version += 1;
  runs.set(runId, version);
  notifier.changed();
}
/** The query side has everything. */
const project = (): void => {
  stored = notifier.limit({ version, seq: 1 });
};
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const sent = () => calls.flatMap(({ rows }) => rows);

describe("without listeners", () => {
  beforeEach(() => {
    interest = { ...interest, all: false };
  });

  it("a change asks once and then sends nothing for a minute", async () => {
    change("a");
    await pass(1_000);
    expect(calls).toEqual([{ rows: [], life: null }]);
    for (let n = 0; n < 50; n++) {
      change(`r${n}`);
      await pass(1_000);
    }
    project();
    await pass(5_000);
    expect(calls).toHaveLength(1);
    await pass(10_000);
    change("late");
    await pass(1_000);
    expect(calls).toHaveLength(2);
    expect(sent()).toEqual([]);
  });

  it("a new listener gets what the query side lacks", async () => {
    change("a");
    await pass(1_000);
    project();
    change("b");
    await pass(100);
    notifier.listen({ ...interest, at: interest.at + 1, all: true });
    await pass(200);
    expect(sent()).toEqual(["b@2"]);
  });

  it("only the runs that are watched are sent", async () => {
    interest = { ...interest, runs: ["b"] };
    change("a");
    change("b");
    await pass(1_000);
    expect(sent()).toEqual(["b@2"]);
  });
});

describe("with listeners", () => {
  it("changes of one moment are sent in one call, with only the latest state of each run", async () => {
    change("first");
    await pass(200);
    calls = [];
    change("a");
    change("b");
    change("a");
    await pass(200);
    expect(calls.map(({ rows }) => rows)).toEqual([["b@3", "a@4"]]);
  });

  it("a LiveObject that can't be reached gets everything later", async () => {
    change("first");
    await pass(200);
    away = true;
    change("a");
    await pass(180_000);
    project();
    away = false;
    await pass(20_000);
    expect(sent()).toContain("a@2");
  });

  it("a LiveObject that was restarted gets again what was not on the query side when the last life answered", async () => {
    change("a");
    await pass(200);
    expect(sent()).toEqual(["a@1"]);
    // It dies before the query side has the row: a listener of the next life finds it nowhere.
    interest = { ...interest, life: "two" };
    await pass(500);
    project();
    await pass(2_000);
    expect(calls.at(-1)).toEqual({ rows: ["a@1"], life: "two" });
  });

  it("nothing is sent again once the query side has it and the LiveObject has answered after that", async () => {
    change("a");
    await pass(200);
    project();
    await pass(2_000);
    expect(calls.at(-1)?.rows).toEqual([]);
    const before = calls.length;
    await pass(60_000);
    expect(calls).toHaveLength(before);
    interest = { ...interest, life: "two" };
    change("b");
    await pass(2_000);
    // The first call names the life that is over, and nothing of it was taken.
    expect(calls.slice(before)).toEqual([
      { rows: ["b@2"], life: "one" },
      { rows: ["b@2"], life: "two" },
    ]);
  });
});
