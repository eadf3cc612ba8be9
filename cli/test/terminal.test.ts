import { parseEnv } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
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
  it("gives the variable its value back, whatever it is, or is refused", () => {
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
