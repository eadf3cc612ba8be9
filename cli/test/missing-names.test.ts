import { describe, expect, it } from "vitest";
import { findMissingNames } from "../src/bundle/missing-names.ts";

const sdk = { task: () => {}, runs: { retrieve() {} }, retry: { onThrow() {} }, tasks: { trigger() {} } };

const missingIn = async (source: string): Promise<string[]> =>
  (await findMissingNames(source, { loader: "ts", isSdk: (s) => s === "@trigger.dev/sdk", sdk })).map(
    ({ name, line, column }) => `${name} ${line}:${column}`,
  );

describe("findMissingNames", () => {
  it("names an import that the SDK doesn't have, with its place in the source", async () => {
    expect(await missingIn('import { task, wait } from "@trigger.dev/sdk";\ntask(wait);')).toEqual([
      "wait 1:15",
    ]);
  });

  it("places it in the source where types were removed before it", async () => {
    const source =
      'interface A {\n  b: string;\n}\nimport { task, wait } from "@trigger.dev/sdk";\ntask(wait as A);';
    expect(await missingIn(source)).toEqual(["wait 4:15"]);
  });

  it("names an import of the reference that is never used", async () => {
    const source = 'import { schedules, SomeType, task } from "@trigger.dev/sdk";\ntask({});';
    expect(await missingIn(source)).toEqual(["schedules 1:9"]);
  });

  it("leaves names alone that are only used as types", async () => {
    const source = `import { type Nope, task } from "@trigger.dev/sdk";
      import { AlsoNope } from "@trigger.dev/sdk";
      import type { Third } from "@trigger.dev/sdk";
      export const x: Nope | AlsoNope | Third = task({});`;
    expect(await missingIn(source)).toEqual([]);
  });

  it.each([
    ["a member of a namespace import", 'import * as sdk from "@trigger.dev/sdk"; sdk.wait.for(1);', "wait"],
    [
      "a member of one of the SDK's namespaces",
      'import { runs } from "@trigger.dev/sdk"; runs.subscribeToRun("x");',
      "runs.subscribeToRun",
    ],
    [
      "a member two levels down",
      'import * as sdk from "@trigger.dev/sdk"; sdk.runs.subscribeToRun("x");',
      "runs.subscribeToRun",
    ],
    [
      "a member in brackets",
      'import { runs } from "@trigger.dev/sdk"; runs["subscribeToRun"]("x");',
      "runs.subscribeToRun",
    ],
    [
      "an optional member",
      'import { runs } from "@trigger.dev/sdk"; runs?.subscribeToRun("x");',
      "runs.subscribeToRun",
    ],
    [
      "a destructured member",
      'import { tasks } from "@trigger.dev/sdk"; const { trigger, batchTrigger } = tasks; trigger(batchTrigger);',
      "tasks.batchTrigger",
    ],
    ["a default import", 'import sdk from "@trigger.dev/sdk"; sdk.task({});', "default"],
    ["a re-export", 'export { wait } from "@trigger.dev/sdk";', "wait"],
    ["a dynamic import", 'const { wait } = await import("@trigger.dev/sdk"); wait.for(1);', "wait"],
    ["a dynamic import's member", '(await import("@trigger.dev/sdk")).wait.for(1);', "wait"],
    ["a require", 'const { wait } = require("@trigger.dev/sdk"); wait.for(1);', "wait"],
    ["a required namespace", 'const sdk = require("@trigger.dev/sdk"); sdk.wait.for(1);', "wait"],
    [
      "something in a function",
      'import { runs } from "@trigger.dev/sdk"; export async function f() { return () => runs.bulk; }',
      "runs.bulk",
    ],
  ])("finds %s", async (_, source, name) => {
    expect((await missingIn(source)).map((found) => found.split(" ")[0])).toEqual([name]);
  });

  it.each([
    ["names that are there", 'import { runs, retry } from "@trigger.dev/sdk"; runs.retrieve(retry.onThrow);'],
    [
      "a parameter of the same name",
      'import { runs } from "@trigger.dev/sdk"; runs.retrieve(); export const f = (runs) => runs.length;',
    ],
    [
      "a local variable of the same name",
      'import { runs } from "@trigger.dev/sdk"; runs.retrieve(); export function f() { const runs = []; return runs.length; }',
    ],
    [
      "members of what a function returns",
      'import { task } from "@trigger.dev/sdk"; task({}).triggerAndWait();',
    ],
    ["another package", 'import { wait } from "somewhere"; wait.for(1);'],
    ["a computed member", 'import { runs } from "@trigger.dev/sdk"; const k = "x"; runs[k];'],
    ["code that can't be parsed", "import { wait from"],
  ])("says nothing about %s", async (_, source) => {
    expect(await missingIn(source)).toEqual([]);
  });
});
