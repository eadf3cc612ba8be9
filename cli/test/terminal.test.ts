import { parseEnv } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DevEvent, textScreen } from "../src/dev/screen.ts";
import { formatProblem } from "../src/errors.ts";
import { envLine } from "../src/project/env-file.ts";
import { duration, relativeTime } from "../src/terminal/format.ts";
import { table } from "../src/terminal/table.ts";

describe("durations and times", () => {
  it.each([
    [0.4, "<1 ms"],
    [250, "250 ms"],
    [1_400, "1.4 s"],
    [200_000, "3m 20s"],
    [7_500_000, "2h 5m"],
    [86_400_000, "1d"],
  ])("%d ms is %s", (ms, text) => expect(duration(ms)).toBe(text));

  it("are relative to now, in both directions", () => {
    const at = (ms: number) => relativeTime(new Date(10_000_000 + ms), 10_000_000);
    expect([at(-500), at(-12_000), at(-7_200_000), at(300_000)]).toEqual([
      "just now",
      "12s ago",
      "2h ago",
      "in 5m",
    ]);
  });
});

describe("table", () => {
  const columns = [
    { title: "ID", value: (row: { id: string }) => row.id },
    { title: "N", value: () => "7", align: "right" as const },
    { title: "TEXT", value: (row: { text: string }) => row.text, flexible: true },
  ];
  const rows = [{ id: "run_1", text: "a very long text that does not fit" }];

  it("has a header and cuts the flexible column in a terminal", () => {
    expect(table(columns, rows, 30)).toEqual(["ID     N  TEXT", "run_1  7  a very long text th…"]);
  });

  it("cuts nothing and has no header where a program reads it", () => {
    expect(table(columns, rows, 0)).toEqual(["run_1  7  a very long text that does not fit"]);
  });

  it("shows no control characters, which could rewrite what is on the screen", () => {
    expect(table(columns, [{ id: "a\u001b[2Jb", text: "x\r\ny\u0007" }], 0)).toEqual(["ab  7  x y"]);
  });
});

describe("a line of a .env file", () => {
  it("preserves the variable's value, whatever it is, or is refused", () => {
    const character = fc.constantFrom("a", " ", "'", '"', "`", "#", "=", "\\", "\n", "$", "ä");
    fc.assert(
      fc.property(fc.array(character, { maxLength: 12 }), (characters) => {
        const value = characters.join("");
        const line = envLine("NAME", value);
        if (line !== null)
          expect(parseEnv(`BEFORE=1\n${line}\nAFTER=1`)).toEqual({ BEFORE: "1", NAME: value, AFTER: "1" });
      }),
    );
    expect(envLine("A", "plain")).toBe("A=plain");
    expect(envLine("A", "two\nlines # of 'text'")).toBe("A=\"two\nlines # of 'text'\"");
  });
});

describe("a problem in the code", () => {
  const problem = { file: "src/a.ts", line: 12, message: 'Unexpected ";"' };

  it("has a mark under its column", () => {
    expect(formatProblem({ ...problem, column: 12, source: "    return 1;" }).split("\n")).toEqual([
      'src/a.ts:12:12: Unexpected ";"',
      "    12 │ return 1;",
      "       │        ^",
    ]);
  });

  it("has the part of a long line in which it is", () => {
    const source = `${"a".repeat(500)}!${"b".repeat(500)}`;
    const [, line = "", mark = ""] = formatProblem({ ...problem, column: 501, source }).split("\n");
    expect(line[mark.indexOf("^")]).toBe("!");
    expect(line.length).toBeLessThan(120);
  });
});

describe("the screen of `acme dev`", () => {
  const run = {
    runId: "run_q46lrzl8zrnfly4zs60mwzwhki9y8upqxot",
    attempt: 2,
    deployment: { version: "20261128.1" },
    resume: null,
  };
  const url = `http://127.0.0.1:8787/r/${run.runId}`;
  const error = { type: "STRING_ERROR" as const, raw: "no" };
  const end = { type: "failure" as const, error, retry: { delayMs: 2_500 } };
  const shown = (taskId: string, width: number): string[] => {
    const lines: string[] = [];
    const screen = textScreen(
      (text) => lines.push(...text.split("\n")),
      () => true,
      () => width,
    );
    const events: DevEvent[] = [
      { type: "run", state: "started", run: { ...run, taskId }, url },
      { type: "run", state: "suspended", run: { ...run, taskId }, url },
      { type: "run", state: "ended", run: { ...run, taskId }, url, end, ms: 71 },
    ];
    for (const event of events) screen.show(event);
    return lines.map((line) => line.replace(/^\d\d:\d\d:\d\d/, "12:00:00"));
  };

  it.each(["flaky", "import-everything-from-the-warehouse-every-night"])("fits 80 columns: %s", (taskId) => {
    const lines = shown(taskId, 80);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.join("\n")).toContain(url);
    expect(lines.join("\n")).toContain("attempt 2 failed 71 ms, retried in 2.5 s");
  });

  it("has the address beside the run where there is room, and cuts nothing in a pipe", () => {
    const name = "import-everything-from-the-warehouse-every-night";
    expect(shown("flaky", 150)).toContain(
      `12:00:00 ✗ flaky                    attempt 2 failed 71 ms, retried in 2.5 s  ${url}`,
    );
    expect(shown(name, 0).filter((line) => line.includes(name))).toHaveLength(3);
  });
});
