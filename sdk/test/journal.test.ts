import { describe, expect, test } from "vitest";
import { ApiConnectionError, NotFoundError, RateLimitError } from "../src/client/api-errors.ts";
import type { JournalEntry } from "../src/contract/journal.ts";
import { mismatchOf } from "../src/runtime/non-determinism.ts";
import { Recorder } from "../src/runtime/recorder.ts";
import { ReplayOrder } from "../src/runtime/replay-order.ts";
import { BatchTriggerError } from "../src/trigger/batch-trigger-error.ts";
import { SubtaskUnwrapError } from "../src/trigger/task-run-promise.ts";
import {
  errorOf,
  failedCall,
  failureOfCall,
  readValue,
  recordedValue,
} from "../src/wait/operation-errors.ts";
import { periodMs } from "../src/wait/wait-period.ts";

const entry = (number: number, more: Partial<JournalEntry> = {}): JournalEntry => ({
  number,
  kind: "step",
  name: `step ${number}`,
  startedAt: number,
  ...more,
});

describe("the order of a replay", () => {
  const after = (number: number, ...handedOut: number[]) => entry(number, { values: { after: handedOut } });

  test("results are delivered as before, each only after the operations before it were called", () => {
    const order = new ReplayOrder([after(0), after(1), after(3, 0), after(2, 1)]);
    const ready = new Set([0, 1, 2, 3]);
    const isReady = (number: number) => ready.has(number);
    expect(order.next(1, isReady)).toBe("none");
    expect(order.next(2, isReady)).toBe(1);
    expect(order.next(2, isReady)).toBe("none");
    expect(order.next(3, isReady)).toBe(0);
    expect(order.done).toBe(false);
    expect(order.next(4, isReady)).toBe("any");
    expect(order.done).toBe(true);
  });

  test("a missing result is waited for, even if others exist", () => {
    const order = new ReplayOrder([after(0), after(1), after(2, 1, 0)]);
    expect(order.next(2, (number) => number === 0)).toBe("none");
    expect(order.next(2, () => true)).toBe(1);
    expect(order.next(2, () => true)).toBe(0);
  });

  test("results delivered after the last operation come in their order too", () => {
    const order = new ReplayOrder([
      after(0),
      entry(1, { values: { after: [], tail: { after: [1, 0] } } }),
      entry(2),
    ]);
    expect(order.next(2, (number) => number === 0)).toBe("none");
    expect(order.next(2, () => true)).toBe(1);
    expect(order.done).toBe(false);
    expect(order.next(2, () => true)).toBe(0);
    expect(order.done).toBe(true);
    // The tail of an operation that another one followed is part of that one's values.
    const superseded = new ReplayOrder([entry(0, { values: { tail: { after: [0] } } }), after(1, 0)]);
    expect([superseded.next(1, () => true), superseded.next(2, () => true)]).toEqual([0, "any"]);
  });

  test("an operation that was only claimed has no place in the order, and a result that never arrives can be skipped", () => {
    expect(new ReplayOrder([entry(0), entry(1)]).next(0, () => false)).toBe("any");
    const order = new ReplayOrder([after(0), after(1, 0)]);
    expect(order.next(0, () => true)).toBe("none");
    order.skip();
    expect(order.next(0, () => true)).toBe(0);
  });
});

describe("operations that are not those of the journal", () => {
  const wait = entry(1, { kind: "wait", name: "2026-01-01T00:00:00.000Z" });

  test("kind and name count; of a wait only the kind", () => {
    expect(mismatchOf(entry(1), entry(1))).toBeUndefined();
    expect(mismatchOf(wait, { ...wait, name: "2027-01-01T00:00:00.000Z" })).toBeUndefined();
    expect(mismatchOf(entry(1), { ...entry(1), name: "other" })).toBeDefined();
    expect(mismatchOf(entry(1), wait)).toBeDefined();
  });

  test("a batch whose items are not known yet may be any batch", () => {
    const recorded = entry(1, { kind: "batch", name: "a, b" });
    expect(mismatchOf(recorded, { ...recorded, name: "batch" })).toBeUndefined();
    expect(mismatchOf(recorded, { ...recorded, name: "a" })).toBeDefined();
    expect(mismatchOf(entry(1), { ...entry(1), name: "batch" })).toBeDefined();
  });
});

describe("recorded values", () => {
  test("are those of the segment; values beyond them are new, and recorded in new segments", () => {
    const journal = new Map([[0, entry(0, { values: { now: [5, 6], random: [0.5] } })]]);
    const recorder = new Recorder({}, journal);
    const real = () => 99;
    expect([recorder.now(real), recorder.random(real), recorder.now(real), recorder.now(real)]).toEqual([
      5, 0.5, 6, 99,
    ]);
    recorder.endSegment();
    expect(recorder.now(real)).toBe(99);
    expect(recorder.uuid(() => "u")).toBe("u");
    expect(recorder.endSegment()).toEqual({ now: [99], uuid: ["u"] });
    expect(recorder.endSegment()).toEqual({});
  });

  test("a response belongs to the segment in which it was requested", () => {
    const response = { request: "GET http://x/", status: 200, statusText: "OK", headers: [], body: null };
    const journal = new Map([
      [0, entry(0, { values: {} })],
      [
        1,
        entry(1, {
          values: {
            fetch: [
              { ...response, segment: 0 },
              { ...response, status: 201 },
            ],
          },
        }),
      ],
    ]);
    const recorder = new Recorder({}, journal);
    expect(recorder.replayed("GET http://y/")).toBeUndefined();
    expect(recorder.replayed(response.request)).toMatchObject({ status: 200 });
    expect(recorder.replayed(response.request)).toBeUndefined();
    recorder.endSegment();
    expect(recorder.replayed(response.request)).toMatchObject({ status: 201 });
    const fresh = new Recorder({ maxBytes: 200 }, new Map());
    fresh.endSegment();
    expect(fresh.addResponse({ ...response, body: "x".repeat(200) }, 0)).toBe(false);
    expect(fresh.addResponse(response, 0)).toBe(true);
    expect(fresh.endSegment()).toEqual({ fetch: [{ ...response, segment: 0 }] });
  });
});

describe("errors", () => {
  test("of a run are restored with name, message and stack", () => {
    const error = errorOf({
      type: "BUILT_IN_ERROR",
      name: "MyError",
      message: "m",
      stackTrace: "MyError: m\n at x",
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "MyError", message: "m", stack: "MyError: m\n at x" });
    expect(errorOf({ type: "INTERNAL_ERROR", code: "EXPIRED" })).toMatchObject({
      message: "Internal error (EXPIRED)",
    });
    expect(errorOf({ type: "CUSTOM_ERROR", raw: "no json" })).toBe("no json");
    expect(new SubtaskUnwrapError("t", "r", { code: 1 })).toMatchObject({
      message: "Error in t",
      cause: { code: 1 },
    });
  });

  test("of API calls are restored as the same class", () => {
    const again = (error: unknown) => {
      const result = failedCall(error);
      return result.ok ? undefined : failureOfCall(result.error);
    };
    const absent = new NotFoundError(
      404,
      "no such task",
      undefined,
      {},
      { error: "no such task", code: "c" },
    );
    expect(again(absent)).toBeInstanceOf(NotFoundError);
    expect(again(absent)).toMatchObject({ status: 404, code: "c", message: "no such task" });
    expect(again(new ApiConnectionError({ message: "gone" }))).toMatchObject({
      message: "gone",
      status: undefined,
    });
    expect(again(new TypeError("no call"))).toBeUndefined();
    const limit = new RateLimitError(429, "slow", undefined, { "retry-after": "2" }, { error: "slow" });
    const failed = new BatchTriggerError("It failed", {
      cause: limit,
      phase: "stream",
      batchId: "b",
      itemCount: 3,
    });
    expect(failed).toMatchObject({ message: "It failed: slow", isRateLimited: true, apiError: limit });
    const batch = again(failed);
    expect(batch).toBeInstanceOf(BatchTriggerError);
    expect(batch).toMatchObject({
      message: "It failed: slow",
      phase: "stream",
      batchId: "b",
      itemCount: 3,
      isRateLimited: true,
    });
    expect((batch as BatchTriggerError).retryAfterMs).toBeGreaterThanOrEqual(2_000);
  });

  test("values are restored unchanged", () => {
    for (const value of [undefined, null, "text", 5, { at: new Date(0), set: new Set([1]) }]) {
      expect(readValue(recordedValue(value))).toEqual(value);
    }
  });
});

test("periods in every unit", () => {
  expect(periodMs({ seconds: 1.5 })).toBe(1_500);
  expect(periodMs({ minutes: 2 })).toBe(120_000);
  expect(periodMs({ hours: 1 })).toBe(3_600_000);
  expect(periodMs({ days: 1 })).toBe(86_400_000);
  expect(periodMs({ weeks: 1 })).toBe(604_800_000);
  expect(periodMs({ months: 1 })).toBe(30 * 86_400_000);
  expect(periodMs({ years: 1 })).toBe(365 * 86_400_000);
  expect(() => periodMs({} as { seconds: number })).toThrow(
    "wait.for() needs a period: { seconds }, { minutes }",
  );
  expect(() => periodMs({ hours: Number.NaN })).toThrow("hours has to be a number, not NaN");
});
