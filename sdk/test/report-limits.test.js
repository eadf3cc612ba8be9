import { describe, expect, test } from "vitest";
import { LogEntry, ReportRequest } from "../src/contract/host-protocol.js";
import { JournalEntry } from "../src/contract/journal.js";
import { LIMITS } from "../src/contract/limits.js";
import { TaskRunError } from "../src/contract/run-errors.js";
import { utf8Bytes } from "../src/contract/text.js";
import { toTaskRunError } from "../src/run/run-error.js";

describe("what a host reports", () => {
  const huge = "x\n".repeat(2_000_000);
  const bytes = (value) => utf8Bytes(JSON.stringify(value));
  test.each([
    { type: "BUILT_IN_ERROR", name: huge, message: huge, stackTrace: huge },
    { type: "CUSTOM_ERROR", raw: JSON.stringify({ message: '"'.repeat(4_000_000) }) },
    { type: "STRING_ERROR", raw: huge },
    { type: "INTERNAL_ERROR", code: huge, message: huge, stackTrace: huge },
  ])("has errors of bounded size: $type", (error) => {
    const parsed = TaskRunError.parse(error);
    expect(bytes(parsed)).toBeLessThan(300_000);
    if (parsed.type === "CUSTOM_ERROR") expect(() => JSON.parse(parsed.raw)).not.toThrow();
  });
  test("is bounded by the SDK as well: a thrown error with a long message of many lines", () => {
    const shown = toTaskRunError(new Error(huge));
    expect(shown).toMatchObject({ type: "BUILT_IN_ERROR", message: expect.stringContaining("bytes cut") });
    expect(bytes(shown)).toBeLessThan(150_000);
    expect(TaskRunError.parse(shown)).toEqual(shown);
  });
  test("has log entries and reasons of bounded size", () => {
    const entry = LogEntry.parse({
      time: 1,
      level: "info",
      message: huge,
      properties: { huge, '"': '"'.repeat(1e6) },
    });
    expect(bytes(entry)).toBeLessThan(500_000);
    const report = ReportRequest.parse({
      protocol: 1,
      hostId: "h",
      sessionId: "s",
      completed: [{ runId: "r", token: 1, completedAt: 1, outcome: { type: "released", reason: huge } }],
    });
    expect(bytes(report)).toBeLessThan(2_000);
  });
  test("has operations that fit into a row, or is refused", () => {
    const entry = (output, fetched = "") => ({
      number: 0,
      kind: "step",
      name: "a",
      startedAt: 1,
      result: { ok: true, output },
      values: { fetch: [{ request: "GET /", status: 200, statusText: "", headers: [], body: fetched }] },
    });
    expect(JournalEntry.safeParse(entry("x".repeat(1_000_000), "y".repeat(500_000))).success).toBe(true);
    for (const refused of [
      entry("x".repeat(LIMITS.journalEntryBytes)),
      entry('"'.repeat(1_000_000)),
      entry("\u0001".repeat(400_000)),
      entry("x".repeat(1_000_000), "y".repeat(1_000_000)),
    ])
      expect(JournalEntry.safeParse(refused).error?.message).toMatch(/at most 1750000 bytes/);
    const values = { now: Array.from({ length: 300_000 }, () => 1_795_785_000_000.123) };
    expect(JournalEntry.safeParse({ ...entry("a"), values }).success).toBe(false);
  });
});
