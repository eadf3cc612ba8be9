/** The pure decisions: retry delays, metadata operations, schemas, error shapes, status ranges, durations. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyMetadataOperation,
  collapseOperations,
  type MetadataOperation,
  sameJson,
} from "../src/contract/metadata-operations.ts";
import { nextRetryDelay } from "../src/contract/retry-delay.ts";
import { durationMs } from "../src/define/duration.ts";
import { parseFunctionOf } from "../src/define/schema.ts";
import { delayUntil, isInRange } from "../src/run/retry.ts";
import { toTaskRunError, truncateStack } from "../src/run/run-error.ts";
import { serializeProperties } from "../src/runtime/log-buffer.ts";
import { decideBySettings } from "../src/runtime/retry-decision.ts";

describe("retry delays", () => {
  test("grow by the factor up to the maximum, and end with the attempts", () => {
    const options = { maxAttempts: 5, minTimeoutInMs: 100, maxTimeoutInMs: 500, factor: 2, randomize: false };
    expect([1, 2, 3, 4, 5].map((attempt) => nextRetryDelay(options, attempt))).toEqual([
      100,
      200,
      400,
      500,
      undefined,
    ]);
  });

  test("are between once and twice the base where they are randomized, never above the maximum", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, random) => {
          const delay = nextRetryDelay({ maxAttempts: 100 }, attempt, () => random)!;
          const base = 1_000 * 2 ** (attempt - 1);
          expect(delay).toBeLessThanOrEqual(60_000);
          expect(delay).toBeGreaterThanOrEqual(Math.min(60_000, base) - 1);
          expect(delay).toBeLessThanOrEqual(Math.min(60_000, 2 * base) + 1);
        },
      ),
    );
  });

  test("of API errors: none after an error of the caller, a rate limit's own time", () => {
    const facts = {
      retry: { maxAttempts: 3, randomize: false },
      attempt: 1,
      maxAttempts: null,
      disabled: false,
    };
    const apiError = (status: number, more = {}) =>
      Object.assign(new Error("api"), { name: "TriggerApiError", status, ...more });
    expect(decideBySettings(apiError(404), facts)).toBeNull();
    expect(decideBySettings(apiError(408), facts)).toEqual({ delayMs: 1_000 });
    expect(decideBySettings(apiError(500), facts)).toEqual({ delayMs: 1_000 });
    expect(decideBySettings(apiError(429, { millisecondsUntilReset: 7_000 }), facts)).toEqual({
      delayMs: 7_000,
    });
    expect(decideBySettings(new Error("any"), { ...facts, disabled: true })).toBeNull();
  });
});

describe("metadata operations", () => {
  const apply = (start: Record<string, unknown>, ...operations: MetadataOperation[]) =>
    operations.reduce<Record<string, unknown>>(
      (at, operation) => applyMetadataOperation(at, operation) ?? at,
      start,
    );

  test("do what they say, also along paths", () => {
    expect(
      apply(
        { list: "x", n: "not a number", gone: 1 },
        { type: "set", key: "$.a.b", value: 1 },
        { type: "increment", key: "$.a.b", value: 2 },
        { type: "append", key: "list", value: "y" },
        { type: "append", key: "$.a.new", value: { k: 1 } },
        { type: "remove", key: "$.a.new", value: { k: 1 } },
        { type: "increment", key: "n", value: -1 },
        { type: "delete", key: "gone" },
      ),
    ).toEqual({ a: { b: 3, new: [] }, list: ["x", "y"], n: -1 });
    expect(apply({ a: 1 }, { type: "update", value: { b: 2 } })).toEqual({ b: 2 });
    expect(apply({ a: { b: 1, c: 2 } }, { type: "delete", key: "$.a.b" })).toEqual({ a: { c: 2 } });
  });

  test("that cannot be applied change nothing, prototypes least of all", () => {
    expect(applyMetadataOperation({ a: 1 }, { type: "remove", key: "a", value: 1 })).toBeNull();
    for (const key of ["__proto__", "$.a.__proto__.polluted", "$.constructor.prototype.polluted"]) {
      expect(applyMetadataOperation({ a: {} }, { type: "set", key, value: 1 })).toBeNull();
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("collapsed, they have the same effect", () => {
    const key = fc.constantFrom("a", "b");
    const operation = fc.oneof(
      fc.record({ type: fc.constant("set" as const), key, value: fc.integer() }),
      fc.record({ type: fc.constant("increment" as const), key, value: fc.integer({ min: -9, max: 9 }) }),
      fc.record({ type: fc.constant("append" as const), key, value: fc.integer() }),
      fc.record({ type: fc.constant("delete" as const), key }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 20 }), (operations) => {
        const collapsed = collapseOperations(operations);
        expect(collapsed.length).toBeLessThanOrEqual(operations.length);
        expect(apply({}, ...collapsed)).toEqual(apply({}, ...operations));
      }),
    );
    expect(
      collapseOperations(Array.from({ length: 9 }, () => ({ type: "increment", key: "a", value: 1 }))),
    ).toEqual([{ type: "increment", key: "a", value: 9 }]);
  });

  test("sameJson", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => sameJson(value, structuredClone(value))));
    expect(sameJson({ a: 1, b: [1] }, { b: [1], a: 1 })).toBe(true);
    expect(sameJson({ a: undefined }, { b: 1 })).toBe(false);
    expect(sameJson([], {})).toBe(false);
  });
});

describe("schemas of every kind", () => {
  const kinds: [string, Parameters<typeof parseFunctionOf>[0]][] = [
    ["function", (value: unknown) => text(value)],
    ["parseAsync", { parseAsync: async (value: unknown) => text(value) }],
    ["parse", { parse: (value: unknown) => text(value) }],
    ["validateSync", { validateSync: (value: unknown) => text(value) }],
    ["create", { create: (value: unknown) => text(value) }],
    ["assert", { assert: (value: unknown) => void text(value) }],
    [
      "assert of a function",
      Object.assign(() => "errors, not thrown", { assert: (value: unknown) => text(value) }),
    ],
  ];
  function text(value: unknown): string {
    if (typeof value !== "string") throw new Error("not text");
    return value;
  }
  test.each(kinds)("%s", async (_, schema) => {
    const parse = parseFunctionOf(schema);
    expect(await parse("a")).toBe("a");
    await expect((async () => parse(1))()).rejects.toThrow("not text");
  });

  test("anything else is refused", () => {
    expect(() => parseFunctionOf({} as never)).toThrow("has to be a Standard Schema");
  });
});

describe("errors", () => {
  test("long ones are cut", () => {
    const error = new Error("m".repeat(5_000));
    error.stack = ["Error: m", ...Array.from({ length: 80 }, (_, i) => `    at frame${i} (file.ts)`)].join(
      "\n",
    );
    const shown = toTaskRunError(error);
    expect(shown).toMatchObject({ type: "BUILT_IN_ERROR", message: `${"m".repeat(1_000)}...[truncated]` });
    const lines = truncateStack(error.stack).split("\n");
    expect(lines).toHaveLength(52);
    expect(lines[6]).toBe("    ... 30 frames omitted ...");
    expect(lines.at(-1)).toContain("frame79");
  });

  test("of any thrown value there is something to record", () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        expect(toTaskRunError(thrown).type).toMatch(/^(CUSTOM|STRING)_ERROR$/);
      }),
    );
  });

  test("a cause that points to itself ends", () => {
    const error: Error & { cause?: unknown } = new Error("outer");
    error.cause = error;
    expect(toTaskRunError(error)).toMatchObject({ message: "outer" });
  });
});

test("log properties become a JSON object, whatever they hold", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.anything()), (properties) => {
      const json: unknown = JSON.parse(serializeProperties(properties));
      expect(typeof json === "object" && json !== null && !Array.isArray(json)).toBe(true);
    }),
  );
  const hostile = {
    get a() {
      throw new Error("getter broke");
    },
  };
  expect(JSON.parse(serializeProperties(hostile))).toEqual({ unserializable: "getter broke" });
  const shared = { x: 1 };
  expect(JSON.parse(serializeProperties({ a: shared, b: shared }))).toEqual({ a: { x: 1 }, b: { x: 1 } });
});

test("status ranges", () => {
  const inRange = (range: string) =>
    [200, 404, 409, 429, 500, 503].filter((status) => isInRange(status, range));
  expect(inRange("all")).toHaveLength(6);
  expect(inRange("4xx")).toEqual([404, 409, 429]);
  expect(inRange("40x")).toEqual([404, 409]);
  expect(inRange("409-500")).toEqual([409, 429, 500]);
  expect(inRange("200, 5xx")).toEqual([200, 500, 503]);
  expect(inRange("503")).toEqual([503]);
  expect(inRange("nonsense")).toEqual([]);
});

test("reset headers", () => {
  const at = (header: string, format: Parameters<typeof delayUntil>[1]) => delayUntil(header, format, 10_000);
  expect(at("15", "unix_timestamp")).toBe(5_000);
  expect(at("15000", "unix_timestamp_in_ms")).toBe(5_000);
  expect(at("5000", "unix_timestamp_in_ms")).toBe(0);
  expect(at("1970-01-01T00:00:12Z", "iso_8601")).toBe(2_000);
  expect(at("6m0s", "iso_8601_duration_openai_variant")).toBe(360_000);
  expect(at("1d2h3m4.5s", "iso_8601_duration_openai_variant")).toBe(93_784_500);
  expect(at("20ms", "iso_8601_duration_openai_variant")).toBe(20);
  expect(at("soon", "iso_8601")).toBeUndefined();
  expect(at("", "iso_8601_duration_openai_variant")).toBeUndefined();
});

test("durations", () => {
  expect(["30s", "2h30m", "1d", "2w", "1hr", 90].map(durationMs)).toEqual([
    30_000, 9_000_000, 86_400_000, 1_209_600_000, 3_600_000, 90_000,
  ]);
  expect(() => durationMs("soon")).toThrow('"soon" is no duration');
  expect(() => durationMs(-1)).toThrow("is no duration");
});
