import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { accessPath, jsonRows } from "../src/lib/json/rows.ts";
import { filterLines, levelOf, withLinks } from "../src/lib/logs/lines.ts";
import { destinationOf, search } from "../src/lib/palette/items.ts";
import { axisEnd, stepPaths } from "../src/lib/queues/chart.ts";
import { curlOf } from "../src/lib/run/snippets.ts";
import { framesOf } from "../src/lib/run/stack.ts";
import { bulkFilter } from "../src/lib/runs/bulk.ts";
import { apiQuery, chipsOf, NO_FILTERS, parseFilters, serializeFilters } from "../src/lib/runs/filters.ts";
import { suggestionsOf } from "../src/lib/runs/suggestions.ts";
import { scrollToShow, visibleRows } from "../src/lib/ui/window.ts";

describe("filters", () => {
  it("are the same after a round trip through the address, and leave out invalid ones", () => {
    const filters = parseFilters(
      new URLSearchParams(
        "status=FAILED&status=NOPE&status=__proto__&task=a%2Fb&tag=x&test=false&period=7d&evil=1",
      ),
    );
    expect(filters).toMatchObject({
      statuses: ["FAILED"],
      tasks: ["a/b"],
      tags: ["x"],
      test: false,
      period: "7d",
    });
    expect(parseFilters(serializeFilters(filters))).toEqual(filters);
    expect(parseFilters(new URLSearchParams("period=forever")).period).toBeUndefined();
  });

  it("become the API's query", () => {
    expect(apiQuery({ ...NO_FILTERS, statuses: ["FAILED", "CRASHED"], period: "1h" })).toMatchObject({
      "filter[status]": "FAILED,CRASHED",
      "filter[taskIdentifier]": undefined,
      "filter[createdAt][period]": "1h",
    });
  });

  it("become a bulk action's filter", () => {
    const filters = {
      ...NO_FILTERS,
      statuses: ["FAILED" as const],
      queues: ["task/mail", "shared"],
      period: "7d",
    };
    expect(JSON.parse(JSON.stringify(bulkFilter(filters)))).toEqual({
      status: ["FAILED"],
      queue: [
        { type: "task", name: "mail" },
        { type: "custom", name: "shared" },
      ],
      period: "7d",
    });
  });

  it("have a chip for each value, and each chip knows the filters without it", () => {
    const chips = chipsOf({ ...NO_FILTERS, statuses: ["FAILED"], tags: ["a", "b"] });
    expect(chips.map(({ name, value }) => `${name} ${value}`)).toEqual(["Status Failed", "Tag a", "Tag b"]);
    expect(chips[1]?.without).toMatchObject({ statuses: ["FAILED"], tags: ["b"] });
  });

  it("are suggested for what is typed", () => {
    const known = { tasks: ["mail", "order"], versions: ["20261127.1"], queues: ["task/mail"] };
    const names = (text: string) =>
      suggestionsOf(text, NO_FILTERS, known).map(({ name, value }) => `${name} ${value}`);
    expect(names("status:fail")).toEqual(["Status FAILED", "Status SYSTEM_FAILURE"]);
    expect(names("mail")).toEqual(["Task mail", "Queue task/mail", "Tag mail"]);
    expect(names("tag:customer-7")).toEqual(["Tag customer-7"]);
    expect(suggestionsOf("status:failed", { ...NO_FILTERS, statuses: ["FAILED"] }, known)).toEqual([]);
  });
});

describe("the window of a long list", () => {
  it("holds only rows in sight, whatever the length", () => {
    expect(visibleRows(0, 640, 32, 100_000)).toEqual({ first: 0, count: 32 });
    expect(visibleRows(1_600_000, 640, 32, 100_000)).toEqual({ first: 49_988, count: 44 });
    expect(visibleRows(0, 640, 32, 3)).toEqual({ first: 0, count: 3 });
    expect(visibleRows(0, 640, 32, 0)).toEqual({ first: 0, count: 0 });
  });
  it("scrolls only as far as a row needs", () => {
    expect(scrollToShow(5, 0, 320, 32)).toBeNull();
    expect(scrollToShow(20, 0, 320, 32)).toBe(352);
    expect(scrollToShow(2, 320, 320, 32)).toBe(64);
  });
});

describe("the tree of a JSON value", () => {
  it("lists members under their parents, with every name unchanged", () => {
    const value = JSON.parse('{"__proto__":{"a":1},"list":[{"x":"<img src=x onerror=alert(1)>"}],"n":null}');
    const rows = jsonRows(value, new Set());
    expect(rows.map(({ key, kind, depth }) => [key, kind, depth])).toEqual([
      [undefined, "object", 0],
      ["__proto__", "object", 1],
      ["a", "number", 2],
      ["list", "array", 1],
      ["0", "object", 2],
      ["x", "string", 3],
      ["n", "null", 1],
    ]);
  });
  it("begins with a large value closed, and opens what is asked for", () => {
    const value = { rows: Array.from({ length: 10_000 }, (_, n) => ({ n })) };
    expect(jsonRows(value, new Set())).toHaveLength(2);
    expect(jsonRows(value, new Set(["/rows"]))).toHaveLength(5_002);
  });
  it("names paths as code does", () => {
    expect(accessPath("/user/items/3/first name")).toBe('$.user.items[3]["first name"]');
    expect(accessPath("/a~1b")).toBe('$["a/b"]');
  });
});

describe("logs", () => {
  const lines = (["debug", "info", "warn", "error"] as const).map((level, seq) => ({
    seq,
    time: 0,
    level,
    message: `A ${level} line`,
  }));
  it("are filtered by level and text", () => {
    expect(filterLines(lines, "warn", "").map(({ level }) => level)).toEqual(["warn", "error"]);
    expect(filterLines(lines, "debug", "INFO LINE")).toHaveLength(1);
    expect(filterLines(lines, "debug", "")).toBe(lines);
  });
  it("have levels of any logger", () => {
    expect(["log", "warning", "FATAL", undefined].map(levelOf)).toEqual(["info", "warn", "error", "info"]);
  });
  it("link http addresses, and nothing else", () => {
    expect(withLinks("see https://a.example/x?y=1. and javascript:alert(1)")).toEqual([
      { text: "see " },
      { text: "https://a.example/x?y=1", href: "https://a.example/x?y=1" },
      { text: ". and javascript:alert(1)" },
    ]);
  });
});

it("distinguishes a stack's own frames from the runtime's", () => {
  const frames = framesOf(
    "Error: no\n    at <anonymous> (/data/host/bundles/src/trigger/extra.ts:13:105)\n    at async attempts (/x/sdk/src/step.ts:66:14)\n    at async file:///x/host/runtime/9c.mjs:1786:65\n    at node:internal/x:1:1",
  );
  expect(frames.map(({ call, location, own }) => [call, location, own])).toEqual([
    ["anonymous", "src/trigger/extra.ts:13:105", true],
    ["attempts", "/x/sdk/src/step.ts:66:14", false],
    ["anonymous", "file:///x/host/runtime/9c.mjs:1786:65", false],
    ["anonymous", "node:internal/x:1:1", false],
  ]);
});

it("finds pages by name and ids by prefix", () => {
  const items = ["Runs", "Queues", "Schedules"].map((label) => ({
    id: label,
    group: "Go to",
    label,
    run() {},
  }));
  expect(search(items, "que").map(({ label }) => label)).toEqual(["Queues"]);
  expect(search(items, ">que")).toEqual([]);
  expect(destinationOf(" run_abc1234 ")).toEqual({ path: "/runs/run_abc1234", what: "run" });
  expect(destinationOf("run_<script>")).toBeNull();
  expect(destinationOf("running")).toBeNull();
});

it("writes a curl command that a shell can run unchanged", () => {
  expect(curlOf("https://x.example", "it's", { a: "it's" })).toContain(`-d '{"payload":{"a":"it'\\''s"}}'`);
});

it("loads every page with less than 200 KB of compressed JavaScript", () => {
  const loads = JSON.parse(
    readFileSync(new URL("../.svelte-kit/first-loads.json", import.meta.url), "utf8"),
  ) as {
    page: string;
    bytes: number;
  }[];
  expect(loads.length).toBeGreaterThan(3);
  for (const { page, bytes } of loads) expect(bytes, page).toBeLessThan(200 * 1_024);
});

describe("the chart of a queue", () => {
  it("is steps that hold until the next value, below the end of a round axis", () => {
    const { line, area } = stepPaths([0, 5, 10], { width: 30, height: 100, max: 10 });
    expect(line).toBe("M0.0 100.0H10.0L10.0 50.0H20.0L20.0 0.0H30.0");
    expect(area).toBe(`${line}V100H0Z`);
    expect(stepPaths([], { width: 30, height: 100, max: 10 })).toEqual({ line: "", area: "" });
    expect([0, 3, 4, 5, 7, 10, 11, 21, 201, 1_000].map(axisEnd)).toEqual([
      4, 4, 4, 5, 8, 10, 15, 25, 250, 1_000,
    ]);
  });
});
