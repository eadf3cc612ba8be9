/** The pure decisions: retry delays, metadata operations, schemas, error shapes, status ranges, durations. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyMetadataOperation,
  collapseOperations,
  type MetadataOperation,
  sameJson,
} from "../src/contract/metadata-operations.ts";
import { nextRetryDelay, retryDelay } from "../src/contract/retry-delay.ts";
import { cutMiddle, utf8Bytes } from "../src/contract/text.ts";
import { durationMs } from "../src/define/duration.ts";
import { parseFunctionOf } from "../src/define/schema.ts";
import { delayUntil, isInRange } from "../src/run/retry.ts";
import { shortStack, toTaskRunError } from "../src/run/run-error.ts";
import { serializeProperties } from "../src/runtime/log-buffer.ts";
import { decideByHook, decideBySettings } from "../src/runtime/retry-decision.ts";

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

  test("are numbers whatever the settings are", () => {
    expect(retryDelay({ minTimeoutInMs: 0, factor: 10 }, 400, () => 0)).toBe(0);
    expect(retryDelay({ factor: 10 }, 400, () => 0)).toBe(60_000);
    const facts = { retry: {}, attempt: 1, maxAttempts: null, disabled: false };
    expect(decideByHook({ retryAt: new Date("no date") }, facts, 0)).toEqual({ delayMs: 0 });
    expect(decideByHook({ retryDelayInMs: Number.NaN }, facts, 0)).toEqual({ delayMs: 0 });
    expect(decideByHook({ retryDelayInMs: 1e300 }, facts, 0)).toEqual({ delayMs: 365 * 86_400_000 });
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

  test("do what their names say, also along paths", () => {
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

  test("along a path through an array edit its element, and the array stays one", () => {
    const items = [{ done: false, n: 1 }, { done: false }];
    expect(
      apply(
        { items },
        { type: "set", key: "$.items.0.done", value: true },
        { type: "increment", key: "$.items.0.n", value: 1 },
        { type: "append", key: "$.items.1.notes", value: "x" },
        { type: "set", key: "$.items.2", value: "new" },
      ),
    ).toEqual({ items: [{ done: true, n: 2 }, { done: false, notes: ["x"] }, "new"] });
    expect(items).toEqual([{ done: false, n: 1 }, { done: false }]);
    expect(apply({ items: [1, 2, 3] }, { type: "delete", key: "$.items.0" })).toEqual({ items: [2, 3] });
    for (const key of ["$.items.4", "$.items.4000000000", "$.items.-1", "$.items.first", "$.items.2.done"]) {
      expect(applyMetadataOperation({ items: [1, 2] }, { type: "set", key, value: 1 })).toBeNull();
    }
  });

  test("leave the metadata they get as it was, and valid JSON", () => {
    const key = fc.array(fc.constantFrom("a", "b", "0", "1"), { minLength: 1, maxLength: 3 });
    const operation = fc.oneof(
      fc.record({ type: fc.constant("set" as const), key, value: fc.jsonValue() }),
      fc.record({ type: fc.constant("append" as const), key, value: fc.jsonValue() }),
      fc.record({ type: fc.constant("increment" as const), key, value: fc.double() }),
      fc.record({ type: fc.constant("delete" as const), key }),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("a", "b"), fc.jsonValue()),
        fc.array(operation),
        (start, operations) => {
          let at: Record<string, unknown> = start;
          for (const one of operations) {
            const before = JSON.stringify(at);
            const next = applyMetadataOperation(at, {
              ...one,
              key: `$.${one.key.join(".")}`,
            } as MetadataOperation);
            expect(JSON.stringify(at)).toBe(before);
            at = next ?? at;
            expect(sameJson(JSON.parse(JSON.stringify(at)), JSON.parse(JSON.stringify(at)))).toBe(true);
          }
        },
      ),
    );
  });

  test("with keys that the API refuses are not applied, so they can't make the others of a flush fail", () => {
    for (const key of ["", "k".repeat(513), `$${".a".repeat(65)}`])
      expect(applyMetadataOperation({}, { type: "set", key, value: 1 })).toBeNull();
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(applyMetadataOperation({}, { type: "increment", key: "n", value })).toBeNull();
  });

  test("collapsed, they have the same effect", () => {
    const key = fc.constantFrom("a", "b", "$.list.0");
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
        const start = { list: [1, 2, 3, 4] };
        expect(apply(start, ...collapsed)).toEqual(apply(start, ...operations));
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

describe("cutMiddle", () => {
  test("keeps text that fits, and otherwise both ends within the limit, without splitting a character", () => {
    const character = fc.constantFrom("a", "ä", "€", "😀", "\ud83d", "\ude00", "\n");
    fc.assert(
      fc.property(fc.array(character, { maxLength: 400 }), fc.integer({ min: 0, max: 900 }), (parts, max) => {
        const text = parts.join("");
        const bytes = new TextEncoder().encode(text).length;
        expect(utf8Bytes(text)).toBe(bytes);
        const cut = cutMiddle(text, max);
        expect(utf8Bytes(cut)).toBeLessThanOrEqual(max);
        if (bytes <= max) expect(cut).toBe(text);
        const mark = /^(.*)… \[(\d+) bytes cut\] …(.*)$/s.exec(cut);
        if (!mark) return;
        expect(text.startsWith(mark[1]!)).toBe(true);
        expect(text.endsWith(mark[3]!)).toBe(true);
        expect(utf8Bytes(mark[1]!) + Number(mark[2]) + utf8Bytes(mark[3]!)).toBe(bytes);
        if (text.isWellFormed()) expect(cut.isWellFormed()).toBe(true);
      }),
    );
    expect(cutMiddle("a".repeat(200), 100)).toBe(`${"a".repeat(26)}… [148 bytes cut] …${"a".repeat(26)}`);
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
  test("long ones are cut in the middle, by bytes", () => {
    const error = new Error("m".repeat(5_000));
    error.stack = ["Error: m", ...Array.from({ length: 80 }, (_, i) => `    at frame${i} (file.ts)`)].join(
      "\n",
    );
    const lines = shortStack(error.stack).split("\n");
    expect(lines).toHaveLength(52);
    expect(lines[6]).toBe("    ... 30 frames omitted ...");
    expect(lines.at(-1)).toContain("frame79");

    const long = toTaskRunError(new Error(`begin ${"äöü\n".repeat(1_000_000)} end`));
    if (long.type !== "BUILT_IN_ERROR") throw new Error(long.type);
    expect(utf8Bytes(long.message)).toBeLessThanOrEqual(8 * 1_024);
    expect(long.message).toMatch(/^begin äöü.*… \[\d+ bytes cut\] ….*äöü\n end$/s);
    expect(utf8Bytes(long.stackTrace)).toBeLessThanOrEqual(64 * 1_024);
    // The frames behind the message are still there.
    expect(long.stackTrace).toContain("decisions.test.ts");
  });

  test("the record of any thrown value is within the limits", () => {
    const many = "x\n    at y\n".repeat(100_000);
    const withCause = new Error(many, { cause: new Error(many, { cause: many }) });
    const custom = { text: '"\\'.repeat(100_000) };
    class Named extends Error {
      override name = "N".repeat(1_000_000);
    }
    for (const thrown of [
      withCause,
      custom,
      many,
      new Named("x"),
      Object.assign(new Error(many), { name: "OutOfMemoryError" }),
    ]) {
      const error = toTaskRunError(thrown);
      expect(utf8Bytes(JSON.stringify(error))).toBeLessThan(2 * (64 + 8 + 1) * 1_024);
      if ("raw" in error) expect(utf8Bytes(error.raw)).toBeLessThanOrEqual(64 * 1_024);
      if ("stackTrace" in error) expect(utf8Bytes(error.stackTrace ?? "")).toBeLessThanOrEqual(64 * 1_024);
      if (error.type === "CUSTOM_ERROR") expect(() => JSON.parse(error.raw)).not.toThrow();
    }
  });

  test.each(["constructor", "__proto__", "toString"])("an error called %s is an ordinary one", (name) => {
    expect(toTaskRunError(Object.assign(new Error("m"), { name }))).toMatchObject({
      type: "BUILT_IN_ERROR",
      name,
    });
  });

  test("any thrown value can be recorded", () => {
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
  expect(() => durationMs("soon")).toThrow('"soon" is not a duration');
  expect(() => durationMs(-1)).toThrow("is not a duration");
});
