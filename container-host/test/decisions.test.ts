/** What the host decides, without I/O. */
import { describe, expect, it } from "vitest";
import { errorOfExit } from "../src/attempt/exit-error.ts";
import { suspendInMs } from "../src/attempt/suspend-plan.ts";
import { backoffMs } from "../src/backoff.ts";
import { reasonOf } from "../src/executor/docker/checkpoint.ts";
import { demultiplex } from "../src/executor/docker/demultiplex.ts";
import { isLoopback } from "../src/executor/docker/network.ts";
import { memoryBytes, nodeArguments } from "../src/executor/environment.ts";
import type { RuntimeExit } from "../src/executor/executor.ts";
import { LineReader } from "../src/line-reader.ts";
import { defaultProcessConcurrency } from "../src/options.ts";
import { OutputTail } from "../src/output-tail.ts";
import { nextPoll } from "../src/poll-plan.ts";
import { averageOf, isExpired, startsWanted } from "../src/pool/plan.ts";
import { roomFactor } from "../src/pressure.ts";
import { roomFor } from "../src/resources.ts";

describe("nextPoll", () => {
  it("asks for as many runs as there are free slots", () => {
    expect(nextPoll(10, 0, [])).toEqual({ max: 10, soon: false });
  });
  it("polls once without asking for runs when there are no free slots", () => {
    expect(nextPoll(0, 10, [])).toEqual({ max: 0, soon: false });
    expect(nextPoll(0, 10, [0])).toBeNull();
  });
  it("asks in another poll as soon as there are free slots while a poll only listens", () => {
    expect(nextPoll(5, 5, [0])).toEqual({ max: 5, soon: false });
  });
  it("never asks for more than the free slots in total", () => {
    expect(nextPoll(10, 0, [10])).toBeNull();
    expect(nextPoll(10, 0, [4])).toEqual({ max: 6, soon: false });
    expect(nextPoll(4, 6, [10])).toBeNull();
  });
  it("waits a moment before it asks for little", () => {
    expect(nextPoll(2, 98, [])).toEqual({ max: 2, soon: true });
    expect(nextPoll(12, 88, [10])).toBeNull();
  });
  it("never has more than three waiting, and never asks for more than a reply may hold", () => {
    expect(nextPoll(1_000, 0, [1, 1, 1])).toBeNull();
    expect(nextPoll(1_000, 0, [])).toEqual({ max: 500, soon: false });
  });
});

describe("startsWanted", () => {
  const plan = (more: Partial<Parameters<typeof startsWanted>[0]>): number =>
    startsWanted({ waiting: [], starting: 0, busy: [], startMs: 60, ...more });
  const quick = { usualMs: 1, forMs: 0 };

  it("starts one for each run of a task it does not know", () => {
    expect(plan({ waiting: [undefined, undefined], busy: [quick] })).toBe(2);
  });
  it("counts those that are starting already", () => {
    expect(plan({ waiting: [undefined, undefined, undefined], starting: 2 })).toBe(1);
    expect(plan({ waiting: [undefined], starting: 2 })).toBe(0);
  });
  it("starts none for short runs that warm runtimes will finish sooner", () => {
    expect(plan({ waiting: Array(50).fill(1), busy: [quick] })).toBe(0);
    expect(plan({ waiting: Array(500).fill(1), busy: [quick] })).toBe(500);
  });
  it("starts one for a long run even if short runs wait for warm runtimes", () => {
    expect(plan({ waiting: [1, 1, 5_000], busy: [quick] })).toBe(1);
  });
  it("does not count on a runtime that executes a long run, or one that will not be reused", () => {
    expect(plan({ waiting: [1], busy: [{ usualMs: 5_000, forMs: 0 }] })).toBe(1);
    expect(plan({ waiting: [1], busy: [{ usualMs: 1, forMs: 1_000 }] })).toBe(1);
    expect(plan({ waiting: [1], busy: [{ usualMs: undefined, forMs: 0 }] })).toBe(1);
  });
  it("starts one if no runtime is warm", () => {
    expect(plan({ waiting: [1] })).toBe(1);
  });
});

describe("isExpired", () => {
  const limits = { idleMs: 1_000, spares: 1 };
  it("keeps the last of a deployment in use longer than the others", () => {
    expect(isExpired({ idleForMs: 1_001, idleOfLane: 2, laneUnusedMs: 500 }, limits)).toBe(true);
    expect(isExpired({ idleForMs: 1_001, idleOfLane: 1, laneUnusedMs: 1_001 }, limits)).toBe(false);
    expect(isExpired({ idleForMs: 9_000, idleOfLane: 1, laneUnusedMs: 5_001 }, limits)).toBe(true);
  });
  it("without spares keeps none longer", () => {
    expect(
      isExpired({ idleForMs: 1_001, idleOfLane: 1, laneUnusedMs: 500 }, { idleMs: 1_000, spares: 0 }),
    ).toBe(true);
  });
});

describe("averageOf", () => {
  it("begins with the first and follows slowly", () => {
    expect(averageOf(undefined, 10)).toBe(10);
    expect(averageOf(10, 20)).toBe(11);
  });
});

describe("roomFactor", () => {
  const idle = { memoryAvailable: 0.8, loadPerCore: 1 };
  it("is 1 on an idle machine", () => expect(roomFactor(idle)).toBe(1));
  it("falls with the free memory, down to zero", () => {
    expect(roomFactor({ ...idle, memoryAvailable: 0.1 })).toBeCloseTo(0.5);
    expect(roomFactor({ ...idle, memoryAvailable: 0.04 })).toBe(0);
  });
  it("falls with the load, but never to zero", () => {
    expect(roomFactor({ ...idle, loadPerCore: 12.5 })).toBeCloseTo(0.5);
    expect(roomFactor({ ...idle, loadPerCore: 500 })).toBeCloseTo(0.1);
  });
});

describe("roomFor", () => {
  const capacity = { slots: 10, cpu: 2, memory: 4 };
  it("is determined by the scarcest resource", () => {
    const each = { slots: 1, cpu: 0.1, memory: 1 };
    expect(roomFor(each, { slots: 0, cpu: 0, memory: 0 }, capacity)).toBe(4);
    expect(roomFor(each, { slots: 9, cpu: 0, memory: 0 }, capacity)).toBe(1);
    expect(roomFor(each, { slots: 0, cpu: 1.95, memory: 0 }, capacity)).toBe(0);
  });
  it("does not lose a slot to rounding", () => {
    expect(
      roomFor(
        { slots: 0, cpu: 0.1, memory: 0 },
        { slots: 0, cpu: 0.1 + 0.2, memory: 0 },
        { slots: 0, cpu: 1, memory: 0 },
      ),
    ).toBe(7);
  });
  it("is never negative", () => {
    expect(roomFor({ slots: 1, cpu: 0, memory: 0 }, { slots: 12, cpu: 0, memory: 0 }, capacity)).toBe(0);
  });
});

describe("errorOfExit", () => {
  const exit = (more: Partial<RuntimeExit>): RuntimeExit => ({
    code: null,
    signal: null,
    oomKilled: false,
    output: "",
    ...more,
  });
  const heap = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";

  it.each([
    ["TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE", exit({ code: 1 })],
    ["TASK_PROCESS_CRASHED", exit({ code: 0 })],
    ["TASK_PROCESS_CRASHED", exit({ signal: "SIGKILL" })],
    ["TASK_PROCESS_CRASHED", exit({ code: 137 })],
    ["TASK_PROCESS_SIGSEGV", exit({ signal: "SIGSEGV" })],
    ["TASK_PROCESS_SIGSEGV", exit({ code: 139 })],
    ["TASK_PROCESS_SIGTERM", exit({ code: 143 })],
    ["TASK_PROCESS_OOM_KILLED", exit({ code: 137, oomKilled: true })],
    ["TASK_PROCESS_OOM_KILLED", exit({ signal: "SIGABRT", output: heap })],
    ["TASK_PROCESS_OOM_KILLED", exit({ code: 134, output: heap })],
    // As process 1 of a container SIGABRT has no effect.
    ["TASK_PROCESS_OOM_KILLED", exit({ code: 139, output: heap })],
    ["TASK_EXECUTOR_FAILED", exit({ startError: new Error("no such image") })],
  ])("%s for %j", (code, how) => {
    expect(errorOfExit(how, "micro")).toMatchObject({ type: "INTERNAL_ERROR", code });
  });

  it("does not mistake a task's output for a full heap", () => {
    expect(errorOfExit(exit({ code: 1, output: heap }), "micro")).toMatchObject({
      code: "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE",
    });
  });
  it("keeps the last lines only", () => {
    const output = Array.from({ length: 100 }, (_, n) => `line ${n}`).join("\n");
    const { message } = errorOfExit(exit({ code: 1, output }), "micro") as { message: string };
    expect(message).toContain("line 99");
    expect(message).not.toContain("line 79\n");
  });
});

describe("LineReader", () => {
  const read = (chunks: Buffer[], max = 1_000): string[] => {
    const lines: string[] = [];
    const reader = new LineReader((line) => lines.push(line), max);
    for (const chunk of chunks) reader.add(chunk);
    return lines;
  };
  it("finds lines wherever the stream is cut, also inside a character", () => {
    const bytes = Buffer.from("äöü\n{}\n\nlast\nrest");
    const expected = ["äöü", "{}", "last"];
    expect(read([bytes])).toEqual(expected);
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(expected);
    for (let cut = 1; cut < bytes.length; cut++)
      expect(read([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(expected);
  });
  it("refuses a line without end", () => {
    expect(() => read([Buffer.alloc(600, "a"), Buffer.alloc(600, "a")])).toThrow(/more than 1000 bytes/);
  });
});

describe("OutputTail", () => {
  it("keeps the last bytes, and no more", () => {
    const tail = new OutputTail(10);
    for (const text of ["0123456789", "abc", "x".repeat(3)]) tail.add(Buffer.from(text));
    expect(tail.text()).toBe("6789abcxxx");
    tail.add(Buffer.from("y".repeat(100)));
    expect(tail.text()).toBe("y".repeat(10));
    expect(tail.total).toBe(116);
  });
  it("keeps the last of very many small pieces", () => {
    const tail = new OutputTail(100);
    for (let n = 0; n < 5_000; n++) tail.add(Buffer.from(`${n % 10}`));
    expect(tail.text()).toBe("0123456789".repeat(10));
  });
});

describe("a run that only waits", () => {
  const now = 1_000_000;
  const wait = (inMs: number) => ({ number: 0, kind: "wait" as const, until: now + inMs });
  const child = { number: 1, kind: "run" as const };
  it("stays in memory for a short wait, also beside others", () => {
    expect(suspendInMs([wait(5_000)], now, 5_000)).toBeNull();
    expect(suspendInMs([wait(60_000), wait(1), child], now, 5_000)).toBeNull();
  });
  it("is suspended at once for a long wait, and soon for one without a known end", () => {
    expect(suspendInMs([wait(5_001)], now, 5_000)).toBe(0);
    expect(suspendInMs([wait(60_000), wait(10_000)], now, 5_000)).toBe(0);
    expect(suspendInMs([child], now, 5_000)).toBe(1_000);
    expect(suspendInMs([child, wait(60_000)], now, 5_000)).toBe(1_000);
    expect(suspendInMs([child], now, 0)).toBe(0);
  });
});

describe("the rest", () => {
  it("backs off with growing, scattered delays up to a limit", () => {
    expect(backoffMs(1, {}, () => 0)).toBe(50);
    expect(backoffMs(1, {}, () => 1)).toBe(100);
    expect(backoffMs(4, {}, () => 1)).toBe(800);
    expect(backoffMs(1_000, {}, () => 1)).toBe(5_000);
  });
  it("reads a container's log, cut off or not", () => {
    const frame = (text: string) => {
      const header = Buffer.alloc(8);
      header.writeUInt32BE(Buffer.byteLength(text), 4);
      return Buffer.concat([header, Buffer.from(text)]);
    };
    expect(demultiplex(Buffer.concat([frame("a\n"), frame("ü\n"), Buffer.from([1, 0])]))).toBe("a\nü\n");
    expect(demultiplex(Buffer.alloc(0))).toBe("");
  });
  it("knows what containers can't reach", () => {
    expect(["http://127.0.0.1:1", "http://localhost", "http://[::1]:2"].map(isLoopback)).toEqual([
      true,
      true,
      true,
    ]);
    expect(["https://acme.example", "http://10.0.0.1", "http://localhost.example"].map(isLoopback)).toEqual([
      false,
      false,
      false,
    ]);
  });
  it("leaves a quarter of a preset's memory outside the heap", () => {
    expect(memoryBytes("small-1x")).toBe(512 * 1024 ** 2);
    expect(nodeArguments(memoryBytes("micro"))).toContain("--max-old-space-size=192");
  });
  it("allows as many processes as fit into memory, within limits", () => {
    const gb = 1024 ** 3;
    expect([gb / 4, 2 * gb, 256 * gb].map(defaultProcessConcurrency)).toEqual([8, 16, 100]);
  });
});

describe("reasonOf", () => {
  const noise =
    "(00.000786) Error (criu/util.c:1533): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted";
  const failed = "(00.081196) Error (criu/cr-dump.c:2111): Dumping FAILED.";
  it("contains the errors in CRIU's log, without the lines that every failure has", () => {
    const log = [
      noise,
      "(00.013196) inet: Collected: ino 0x67029",
      "(00.017908) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.",
      "(00.017926) Error (criu/cr-dump.c:1681): Dump files (pid: 4698) failed with -1",
      failed,
    ].join("\n");
    expect(reasonOf(log)).toBe("CRIU: inet: Connected TCP socket, consider using --tcp-established option.");
  });
  it("is unknown if there are no others", () => {
    expect(reasonOf(`${noise}\n${failed}`)).toBeUndefined();
    expect(reasonOf("")).toBeUndefined();
  });
});
