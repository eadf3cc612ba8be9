import { expect, it } from "vitest";
import { changesBetween } from "../src/lib/deployments/changes.ts";
import { payloadOf, problemsOf } from "../src/lib/editor/json-problems.ts";
import { rateOf } from "../src/lib/queues/queue-text.ts";
import { NO_OPTIONS, triggerOptions } from "../src/lib/test/options.ts";
import { answerOf } from "../src/lib/tokens/answers.ts";

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
