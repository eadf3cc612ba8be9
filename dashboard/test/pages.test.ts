import { RotateApiKeyBody, TOKEN_LIMITS, TOKEN_SCOPES } from "@acme/sdk/contract/api";
import { describe, expect, it } from "vitest";
import {
  effectiveScopes,
  LIFETIMES,
  OVERLAPS,
  SCOPES,
  stateOf,
  tidyUserCode,
} from "../src/lib/access/scopes.ts";
import { changesBetween } from "../src/lib/deployments/changes.ts";
import { payloadOf, problemsOf } from "../src/lib/editor/json-problems.ts";
import { rateOf } from "../src/lib/queues/queue-text.ts";
import { NO_OPTIONS, triggerOptions } from "../src/lib/test/options.ts";
import { answerOf } from "../src/lib/tokens/answers.ts";
import { changesOf, parseDotenv } from "../src/lib/variables/dotenv.ts";

it("says where a JSON text is wrong", () => {
  expect(problemsOf("")).toEqual([]);
  expect(problemsOf('{"a":1}')).toEqual([]);
  const [problem] = problemsOf('{"a":1,}');
  expect(problem).toMatchObject({ severity: "error", from: 6 });
  expect(problem?.message).not.toContain("position");
});

it("says which field breaks the task's schema", () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string" }, count: { type: "integer" } },
    required: ["name"],
  };
  const text = '{"name": 5, "count": 1}';
  expect(problemsOf(text, schema)).toMatchObject([{ from: 1, to: 7 }]);
  expect(problemsOf("{}", schema)).toHaveLength(1);
  expect(problemsOf('{"name":"a"}', schema)).toEqual([]);
  expect(problemsOf('{"name":"a"}', { $ref: "#/nowhere" })).toEqual([]);
});

it("takes an empty payload as none", () => {
  expect(payloadOf("  ")).toBeUndefined();
  expect(payloadOf("null")).toBeNull();
  expect(() => payloadOf("{")).toThrow();
});

it("sends only the options that were given, and marks the run as a test", () => {
  const sent = JSON.parse(JSON.stringify(triggerOptions({ ...NO_OPTIONS, tags: "a, b,", maxAttempts: "3" })));
  expect(sent).toEqual({ test: true, tags: ["a", "b"], maxAttempts: 3 });
});

it("compares the tasks of two deployments", () => {
  expect(changesBetween(["a", "b"], ["b", "__proto__"])).toEqual({ added: ["__proto__"], removed: ["a"] });
});

it("shows rates and answers", () => {
  expect(rateOf(null)).toBe("–");
  expect(rateOf({ limit: 10, period: 60_000 })).toBe("10 / 1 m");
  expect(answerOf({ status: "WAITING" })).toBeNull();
  expect(answerOf({ status: "COMPLETED", output: '{"ok":true}', outputType: "application/json" })).toEqual({
    value: { ok: true },
    isError: false,
  });
  expect(answerOf({ status: "COMPLETED", output: "hi", outputType: "text/plain" })).toEqual({
    value: "hi",
    isError: false,
  });
});

describe("a .env file", () => {
  it("is read with quotes, escapes, comments and values over several lines", () => {
    const { variables, problems } = parseDotenv(
      [
        "# comment",
        "PLAIN=a b # note",
        'export QUOTED="x # y\\nz"',
        "SINGLE='raw\\n'",
        'KEY="-----BEGIN',
        'two"',
        "EMPTY=",
        "PLAIN=last",
        "not an assignment",
      ].join("\r\n"),
    );
    expect(Object.fromEntries(variables.map(({ name, value }) => [name, value]))).toEqual({
      PLAIN: "last",
      QUOTED: "x # y\nz",
      SINGLE: "raw\\n",
      KEY: "-----BEGIN\ntwo",
      EMPTY: "",
    });
    expect(problems).toEqual([{ line: 9, text: "not an assignment" }]);
    expect(parseDotenv('A="open\nB=1').problems).toEqual([{ line: 1, text: "A: the quote is never closed" }]);
  });

  it("is compared with what is there; secrets can't be", () => {
    const existing = [
      { name: "A", value: "1", isSecret: false },
      { name: "B", value: "<redacted>", isSecret: true },
      { name: "C", value: "1", isSecret: false },
    ];
    const wanted = ["A", "B", "C", "D"].map((name) => ({ name, value: name === "A" ? "1" : "2" }));
    expect(changesOf(wanted, existing).map(({ kind }) => kind)).toEqual(["same", "secret", "changed", "new"]);
  });
});

describe("keys and tokens", () => {
  it("offer what the API takes", () => {
    expect(SCOPES.map(({ scope }) => scope)).toEqual(TOKEN_SCOPES);
    for (const { seconds } of OVERLAPS)
      expect(RotateApiKeyBody.safeParse({ overlapSeconds: seconds }).success).toBe(true);
    for (const { days } of LIFETIMES) expect(days ?? 0).toBeLessThanOrEqual(TOKEN_LIMITS.maxDays);
  });

  it("are accepted, end or have ended", () => {
    expect(stateOf(undefined, 1_000)).toBe("ongoing");
    expect(stateOf(null, 1_000)).toBe("ongoing");
    expect(stateOf(new Date(1_001).toISOString(), 1_000)).toBe("ending");
    expect(stateOf(new Date(1_000).toISOString(), 1_000)).toBe("ended");
  });

  it("have the scopes that a role lets them use", () => {
    expect(effectiveScopes(["read", "write", "deploy"], "viewer")).toEqual(["read"]);
    expect(effectiveScopes(["deploy", "read"], "developer")).toEqual(["read", "deploy"]);
    expect(effectiveScopes(["admin"], "developer")).toEqual([]);
  });

  it("tidy a code as it is typed", () => {
    expect(["b", "bcdf", "bcdfg", " bcdf ghjk ", "BCDF-GHJKL", "bc-df-gh-jk"].map(tidyUserCode)).toEqual([
      "B",
      "BCDF",
      "BCDF-G",
      "BCDF-GHJK",
      "BCDF-GHJK",
      "BCDF-GHJK",
    ]);
  });
});
