import { AlertRuleBody, BULK_LIMITS, TOKEN_FORM_LIMITS } from "@acme/sdk/contract/api";
import { describe, expect, it } from "vitest";
import { conditionText, draftOf, EMPTY_DRAFT, KINDS, ruleOf } from "../src/lib/alerts/rule-draft.ts";
import type { RunListItem } from "../src/lib/api/environment-api.ts";
import { BULK_RUNS, DIRECTLY } from "../src/lib/runs/bulk.ts";
import {
  applyCellFilter,
  DEFAULT_COLUMNS,
  filtersOfCell,
  filtersOfRun,
  fitting,
  moved,
  parseColumns,
  RUN_COLUMNS,
  templateOf,
} from "../src/lib/runs/columns.ts";
import { NO_FILTERS, parseFilters, serializeFilters } from "../src/lib/runs/filters.ts";
import { changeText, offsetAt, runNowPayload, upcomingOf } from "../src/lib/schedules/ticks.ts";
import {
  answerOfForm,
  decisionOf,
  fieldsOf,
  initialInput,
  inputOf,
  withAnswers,
} from "../src/lib/tokens/schema-form.ts";
import { isSameQuery, withView } from "../src/lib/views/saved-views.ts";

const run: RunListItem = {
  id: "run_1",
  status: "FAILED",
  taskIdentifier: "send-email",
  version: "20261127.1",
  isQueued: false,
  isExecuting: false,
  isWaiting: false,
  isCompleted: true,
  isSuccess: false,
  isFailed: true,
  isCancelled: false,
  isTest: false,
  createdAt: "2026-11-27T12:00:00.000Z",
  updatedAt: "2026-11-27T12:00:00.000Z",
  tags: ["user:1", "a,b"],
  costInCents: 0,
  baseCostInCents: 0,
  durationMs: 0,
  depth: 0,
  triggerFunction: "trigger",
  queue: "mail",
  attemptCount: 1,
};

describe("columns of the runs list", () => {
  it("are read from the address, without unknown columns, and kept in their order", () => {
    expect(parseColumns("created,status,nonsense,status,__proto__")).toEqual(["created", "status"]);
    expect(parseColumns("")).toBeNull();
    expect(parseColumns("nonsense")).toBeNull();
    expect(moved(["status", "task"], "task", -1)).toEqual(["task", "status"]);
    expect(moved(["status", "task"], "task", 1)).toEqual(["status", "task"]);
    expect(templateOf(["status", "run"])).toBe("20px 124px 130px");
  });

  it("drop the least important where there is no room, but never status and task", () => {
    expect(fitting(DEFAULT_COLUMNS, 1_400)).toEqual(DEFAULT_COLUMNS);
    expect(fitting(DEFAULT_COLUMNS, 800)).not.toContain("tags");
    expect(
      fitting(
        RUN_COLUMNS.map(({ id }) => id),
        100,
      ),
    ).toEqual(["status", "task"]);
  });

  it("offer the filters of a cell: all that can be asked for", () => {
    expect(filtersOfCell(run, "task")).toEqual([
      { field: "tasks", value: "send-email", label: "Task send-email" },
    ]);
    // The API's lists are split at commas.
    expect(filtersOfCell(run, "tags").map(({ value }) => value)).toEqual(["user:1"]);
    expect(filtersOfCell(run, "batch")).toEqual([]);
    expect(filtersOfRun(run)).toHaveLength(5);
    for (const filter of filtersOfRun(run)) {
      const on = applyCellFilter(NO_FILTERS, filter);
      expect(parseFilters(serializeFilters(on))).toEqual(on);
      expect(applyCellFilter(on, filter)).toEqual(NO_FILTERS);
    }
  });

  it("select no more runs at once than a bulk action takes", () => {
    expect(BULK_RUNS).toBe(BULK_LIMITS.runIds);
    expect(DIRECTLY).toBeLessThan(BULK_RUNS);
  });
});

describe("saved views", () => {
  it("have one name each on a page, and are recognised in any order", () => {
    const view = { id: "1", name: "Failed", page: "runs", query: "status=FAILED" };
    expect(withView([view], { ...view, id: "2", query: "status=CRASHED" })).toEqual([
      { ...view, query: "status=CRASHED" },
    ]);
    expect(withView([view], { ...view, id: "2", page: "logs" })).toHaveLength(2);
    expect(isSameQuery("a=1&b=2", "b=2&a=1")).toBe(true);
    expect(isSameQuery("a=1", "a=2")).toBe(false);
  });
});

describe("the next ticks of a schedule", () => {
  const ticks = [
    { at: "2027-03-27T01:30:00.000Z", offsetMinutes: 60 },
    { at: "2027-03-28T01:30:00.000Z", offsetMinutes: 120 },
  ];
  it("say where clocks are changed", () => {
    expect(upcomingOf(ticks, 60).map(({ clockChange }) => clockChange)).toEqual([0, 60]);
    expect(upcomingOf(ticks, 120).map(({ clockChange }) => clockChange)).toEqual([-60, 60]);
    expect([changeText(60), changeText(-30)]).toEqual(["Clocks go forward 1 h", "Clocks go back 30 min"]);
    expect(offsetAt(Date.parse("2027-01-01T00:00:00Z"), "Asia/Kolkata")).toBe(330);
    expect(offsetAt(0, "nowhere")).toBe(0);
  });

  it("make a payload that is a tick's", () => {
    const schedule = {
      id: "sched_1",
      type: "IMPERATIVE" as const,
      task: "nightly",
      active: true,
      externalId: "user_1",
      generator: { type: "CRON" as const, expression: "30 2 * * *", description: "" },
      timezone: "Europe/Berlin",
      environments: [],
    };
    const payload = runNowPayload(schedule, 0, upcomingOf(ticks, 60));
    expect(payload.json).toMatchObject({ scheduleId: "sched_1", timestamp: "1970-01-01T00:00:00.000Z" });
    expect(Object.keys(payload.meta.values)).toEqual(["timestamp", "upcoming.0", "upcoming.1"]);
  });
});

describe("the form of a token's schema", () => {
  const schema = {
    type: "object",
    required: ["approved", "amount"],
    properties: {
      approved: { type: "boolean" },
      amount: { type: "integer", minimum: 1, title: "Amount in cents" },
      refundReason: { type: ["string", "null"], maxLength: 500 },
      method: { enum: ["card", 2, null] },
      notify: { type: "array", items: { enum: ["mail", "sms"] } },
      extra: { type: "object" },
      __proto__: { type: "string" },
    },
  };
  const fields = fieldsOf(schema) ?? [];

  it("has a field of its kind for each property", () => {
    expect(fields.map(({ name, kind, required }) => [name, kind, required])).toEqual([
      ["approved", "boolean", true],
      ["amount", "integer", true],
      ["refundReason", "long-text", false],
      ["method", "choice", false],
      ["notify", "choices", false],
      ["extra", "json", false],
    ]);
    expect(fields.map(({ label }) => label).slice(0, 3)).toEqual([
      "Approved",
      "Amount in cents",
      "Refund reason",
    ]);
    expect(decisionOf(fields)).toBe("approved");
  });

  it("makes the answer, and says which field is wrong", () => {
    const input = { ...initialInput(fields), approved: true, amount: "120", method: "2", notify: ['"sms"'] };
    expect(answerOfForm(fields, input)).toEqual({ approved: true, amount: 120, method: 2, notify: ["sms"] });
    expect(() => answerOfForm(fields, { ...input, amount: "" })).toThrow(
      "Amount in cents: an answer is needed",
    );
    expect(() => answerOfForm(fields, { ...input, amount: "1.5" })).toThrow("whole number");
    expect(() => answerOfForm(fields, { ...input, extra: "{" })).toThrow("Extra: this is not JSON");
  });

  it("is one field for a single value, and none for what only JSON can say", () => {
    const one = fieldsOf({ type: "number", default: 3 }) ?? [];
    expect(answerOfForm(one, initialInput(one))).toBe(3);
    expect(fieldsOf({ type: "array", items: { type: "object" } })).toBeNull();
    expect(fieldsOf(undefined)).toBeNull();
    expect(TOKEN_FORM_LIMITS.title).toBe(256);
  });
});

describe("the form of an alert's rule", () => {
  it("makes each kind of condition, which the API takes, and shows it again as it was", () => {
    for (const [kind] of KINDS) {
      const draft = {
        ...EMPTY_DRAFT,
        name: "Cards",
        kind,
        names: kind === "deployment" ? "" : "a, b",
        channels: ["channel_1"],
      };
      const rule = AlertRuleBody.parse(ruleOf(draft));
      const back = draftOf({ ...rule, id: "rule_1", createdAt: "", updatedAt: "" });
      expect({ kind: back.kind, names: back.names, channels: back.channels }).toEqual({
        kind,
        names: draft.names,
        channels: ["channel_1"],
      });
      expect(conditionText(rule.condition)).toMatch(/^\w.*[a-z]$/);
    }
  });
});

it("shows a payload in a form, and puts the answers back into it", () => {
  const fields =
    fieldsOf({
      type: "object",
      required: ["name"],
      properties: {
        name: { type: "string" },
        count: { type: "integer", default: 2 },
        express: { type: "boolean" },
        size: { enum: ["S", 7] },
        address: { type: "object" },
        __proto__: { type: "string" },
      },
    }) ?? [];
  const payload = { name: "Ada", express: true, size: 7, address: { city: "Kyiv" }, unknown: [1] };
  const input = inputOf(fields, payload);
  expect(input).toMatchObject({ name: "Ada", count: "2", express: true, size: "7" });
  expect(withAnswers(fields, { ...input, name: "Grace" }, payload)).toEqual({
    ...payload,
    name: "Grace",
    count: 2,
  });
  expect(() => withAnswers(fields, { ...input, name: "" }, payload)).toThrow("Name");
  expect(inputOf(fields, "no object")).toEqual(initialInput(fields));
});
