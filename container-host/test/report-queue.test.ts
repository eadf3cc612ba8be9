import { ReportRequest } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import {
  batchBody,
  emptyBatch,
  halves,
  pendingOf,
  type ReportBatch,
  ReportQueue,
  sizeOf,
  unanswered,
} from "../src/report-queue.ts";

const MB = 1024 * 1024;
const lease = (runId: string) => ({ runId, token: 1 });
const start = (runId: string) => ({ ...lease(runId), startedAt: 1 });
const end = (runId: string, output = "") => ({
  ...lease(runId),
  completedAt: 2,
  outcome: { type: "success" as const, output, outputType: "text/plain" },
});
const journal = (runId: string, seq = 1, output = "") => ({
  ...lease(runId),
  attempt: 1,
  seq,
  entries: [
    { number: 0, kind: "step" as const, name: "a", startedAt: 1, result: { ok: true as const, output } },
  ],
});
const suspension = (runId: string) => ({ ...lease(runId), waits: [0] });

/** The items of a batch, by kind. */
const shown = (batch: ReportBatch) => ({
  started: batch.started.map(({ item }) => item.runId),
  journals: batch.journals.map(({ item }) => `${item.runId}${item.seq}`),
  completed: batch.completed.map(({ item }) => item.runId),
  suspensions: batch.suspensions.map(({ item }) => item.runId),
});
const nothing = { started: [], journals: [], completed: [], suspensions: [] };
const second = () => 1_000;

describe("a report", () => {
  it("contains how a run was resumed even if it contains the run's end", () => {
    const queue = new ReportQueue();
    queue.started({ ...start("a"), resumed: { by: "replay" } });
    queue.completed(end("a"));
    const batch = queue.take(0);
    expect(shown(batch)).toMatchObject({ started: ["a"], completed: ["a"] });
    queue.putBack(batch);
    expect(shown(queue.take(0))).toMatchObject({ started: ["a"], completed: ["a"] });
  });

  it("contains an end without its start if that was not sent yet", () => {
    const queue = new ReportQueue();
    queue.started(start("a"));
    queue.started(start("b"));
    queue.completed(end("a"));
    expect(shown(queue.take(0))).toEqual({ ...nothing, started: ["b"], completed: ["a"] });
    expect(queue.isEmpty).toBe(true);
    expect(queue.bytes).toBe(0);
  });

  it("contains no start that was put back if the end arrived meanwhile", () => {
    const queue = new ReportQueue();
    queue.started(start("a"));
    const batch = queue.take(0);
    queue.completed(end("a"));
    queue.putBack(batch);
    expect(shown(queue.take(0))).toEqual({ ...nothing, completed: ["a"] });
    expect(queue.isEmpty).toBe(true);
  });

  it("counts real bytes instead of characters, including what JSON adds", () => {
    const queue = new ReportQueue();
    const output = '"ä\n'.repeat(100_000);
    queue.completed(end("a", output));
    const { bytes } = pendingOf(end("a", output));
    expect(bytes).toBe(Buffer.byteLength(JSON.stringify(end("a", output))));
    expect(bytes).toBeGreaterThan(2 * output.length);
    expect(queue.bytes).toBe(bytes);
    queue.take(0);
    expect(queue.bytes).toBe(0);
  });

  it("counts errors and the results in journals", () => {
    const queue = new ReportQueue();
    const error = { type: "STRING_ERROR" as const, raw: "x".repeat(3 * MB) };
    queue.completed({ ...lease("a"), completedAt: 1, outcome: { type: "failure", error } });
    queue.journal(journal("b", 1, "y".repeat(3 * MB)));
    expect(queue.bytes).toBeGreaterThan(6 * MB);
    expect(shown(queue.take(0))).toEqual({ ...nothing, completed: ["a"] });
    expect(shown(queue.take(0))).toEqual({ ...nothing, journals: ["b1"] });
  });

  it("contains only one item if that is larger than a report", () => {
    const queue = new ReportQueue();
    queue.completed(end("small1"));
    queue.completed(end("large", "x".repeat(9 * MB)));
    queue.completed(end("small2"));
    expect([queue.take(0), queue.take(0), queue.take(0)].map((batch) => shown(batch).completed)).toEqual([
      ["small1"],
      ["large"],
      ["small2"],
    ]);
  });

  it("is JSON of the protocol", () => {
    const queue = new ReportQueue();
    queue.started(start("a"));
    queue.journal(journal("b"));
    queue.completed(end("c", "ä\u2028"));
    queue.suspended(suspension("d"));
    queue.heartbeats([lease("e")]);
    queue.checkpoints([{ runId: "f", id: "1" }]);
    const head = { protocol: 1, hostId: "h", sessionId: "s" };
    const report = ReportRequest.parse(JSON.parse(batchBody(head, queue.take(0))));
    expect(report).toMatchObject({
      ...head,
      started: [start("a")],
      journals: [{ runId: "b" }],
      completed: [end("c", "ä\u2028")],
      suspensions: [suspension("d")],
      heartbeats: [lease("e")],
      checkpoints: [{ runId: "f", id: "1" }],
    });
  });
});

describe("an item that the server could not accept", () => {
  it("is moved behind all waiting items, and waits longer each time", () => {
    const queue = new ReportQueue();
    queue.completed(end("broken"));
    const waits = [200, 400, 800];
    let now = 0;
    for (const [round, wait] of waits.entries()) {
      const batch = queue.take(now);
      expect(shown(batch).completed).toEqual(["broken"]);
      queue.retry(batch, now, (retries) => waits[retries - 1] as number);
      queue.completed(end(`other${round}`));
      expect(queue.dueIn(now)).toBe(0);
      expect(shown(queue.take(now)).completed).toEqual([`other${round}`]);
      expect(queue.dueIn(now)).toBe(wait);
      now += wait;
    }
    expect(queue.dueIn(now)).toBe(0);
  });

  it("never blocks a large result of another run", () => {
    const queue = new ReportQueue();
    for (let n = 0; n < 100; n++) queue.completed(end(`broken${n}`, "x".repeat(100_000)));
    queue.completed(end("large", "x".repeat(9 * MB)));
    const sent: string[] = [];
    for (let reports = 0; reports < 10 && !sent.includes("large"); reports++) {
      const batch = queue.take(reports);
      sent.push(...shown(batch).completed);
      const again = { ...batch, completed: batch.completed.filter(({ item }) => item.runId !== "large") };
      queue.retry(again, reports, second);
    }
    expect(sent.slice(0, 100).every((runId) => runId.startsWith("broken"))).toBe(true);
    expect(sent.indexOf("large")).toBe(100);
  });

  it("keeps the order of its run, and delays that run's later items", () => {
    const queue = new ReportQueue();
    queue.journal(journal("a", 1));
    const batch = queue.take(0);
    queue.journal(journal("a", 2));
    queue.completed(end("a"));
    queue.completed(end("b"));
    queue.retry(batch, 0, second);
    expect(shown(queue.take(0))).toEqual({ ...nothing, completed: ["b"] });
    expect(shown(queue.take(1_000))).toEqual({ ...nothing, journals: ["a1", "a2"], completed: ["a"] });
    expect(queue.isEmpty).toBe(true);
  });

  it("can also be a lease that could not be renewed, unless all were renewed since", () => {
    const queue = new ReportQueue();
    queue.heartbeats([lease("a"), lease("b")]);
    const batch = queue.take(0);
    queue.retry({ ...emptyBatch(), heartbeats: batch.heartbeats.slice(1) }, 0, second);
    expect(queue.take(0).heartbeats).toEqual([]);
    expect(queue.dueIn(0)).toBe(1_000);
    expect(queue.take(1_000).heartbeats).toEqual([lease("b")]);
  });

  it("is identified by the verdicts", () => {
    const batch = {
      ...emptyBatch(),
      started: [start("a"), start("b")].map(pendingOf),
      journals: [journal("a", 1), journal("a", 2)].map(pendingOf),
      completed: [end("c"), end("d")].map(pendingOf),
      suspensions: [suspension("g"), suspension("h")].map(pendingOf),
      heartbeats: [lease("e")],
    };
    const again = unanswered(batch, {
      started: ["ok", "retry"],
      journals: ["ok"],
      completed: ["stale"],
      suspensions: [{ verdict: "suspended" }, { verdict: "retry" }],
      heartbeats: ["canceled"],
    });
    expect(shown(again)).toEqual({ started: ["b"], journals: ["a2"], completed: ["d"], suspensions: ["h"] });
    expect(again.heartbeats).toEqual([]);
  });
});

describe("a report that got no answer", () => {
  it("is sent again, each run in its order", () => {
    const queue = new ReportQueue();
    queue.journal(journal("a"));
    queue.suspended(suspension("a"));
    queue.heartbeats([lease("x")]);
    const batch = queue.take(0);
    queue.journal(journal("b", 1, "x".repeat(5 * MB)));
    queue.completed(end("b"));
    queue.putBack(batch);
    expect(queue.size).toBe(5);
    expect(shown(queue.take(0))).toEqual({ ...nothing, journals: ["b1"] });
    expect(shown(queue.take(0))).toEqual({
      ...nothing,
      completed: ["b"],
      journals: ["a1"],
      suspensions: ["a"],
    });
    expect([queue.bytes, queue.size, queue.isAwaited]).toEqual([0, 0, false]);
  });

  it("is followed by smaller ones, so that one item can't block all others", () => {
    const queue = new ReportQueue();
    for (let n = 0; n < 50; n++) queue.completed(end(`run${n}`));
    const sent = new Set<string>();
    for (let failures = 0, reports = 0; sent.size < 49; reports++) {
      expect(reports).toBeLessThan(200);
      const batch = queue.take(0, failures);
      const { completed } = shown(batch);
      // The server fails whenever it receives this item, whatever else is in the report.
      if (completed.includes("run25")) {
        queue.putBack(batch);
        failures += 1;
      } else {
        for (const runId of completed) sent.add(runId);
        failures = 0;
      }
    }
    expect(queue.size).toBe(1);
  });

  it("finds the one item that is refused by halving, and loses none", () => {
    const single: string[] = [];
    const visit = (batch: ReportBatch): void => {
      const parts = halves(batch);
      if (parts) {
        for (const part of parts) visit(part);
        return;
      }
      expect(sizeOf(batch)).toBe(1);
      const { started, journals, completed, suspensions } = shown(batch);
      const others = [...batch.heartbeats, ...batch.checkpoints].map(({ runId }) => runId);
      single.push(
        ...started,
        ...journals.map((name) => name[0] as string),
        ...completed,
        ...suspensions,
        ...others,
      );
    };
    visit({
      started: [start("a"), start("b")].map(pendingOf),
      journals: [journal("h"), journal("i")].map(pendingOf),
      completed: [end("c"), end("d"), end("e")].map(pendingOf),
      suspensions: [pendingOf(suspension("j"))],
      heartbeats: [lease("f"), lease("g")],
      checkpoints: [{ runId: "k", id: "1" }],
    });
    expect(single.join("")).toBe("abhicdejfgk");
  });
});
