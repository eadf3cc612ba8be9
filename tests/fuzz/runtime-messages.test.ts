import { auth, runs, tasks } from "@acme/sdk";
import { RuntimeToHost } from "@acme/sdk/contract";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { firstSeedOfCommit } from "../support/commit-seed.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { fieldValues } from "../support/fuzz/field-values.ts";
import { fieldsOf, textWithField } from "../support/fuzz/fields.ts";
import { hostileText } from "../support/fuzz/hostile.ts";
import { jsonTexts, type Schema, type SchemaContext } from "../support/fuzz/json-texts.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

/**
 * A task that writes arbitrary lines to its runtime's channel: valid and invalid messages of the protocol,
 * about its own run and about none. The host kills a process at its first line that is not a message, so each
 * run writes many lines that are messages, however hostile their content, then one that ends the run, and
 * last a line that is not a message. The seed is derived from the commit; `FUZZ_SEED=N` sets another,
 * `FUZZ_RUNS=N` makes the test longer. Whatever the task writes, its host and the server keep working, and
 * everything that was recorded can be read.
 */
const seed = Number(process.env.FUZZ_SEED || firstSeedOfCommit().from);
const runCount = Number(process.env.FUZZ_RUNS || 20);
/** Candidates that are drawn for each run. Most of them are not messages. */
const LINES_PER_RUN = 600;
/** Logged after all other lines: the host has then read everything before it. */
const MARK = "the whole row was read";
/** A placeholder that the task replaces with its own run id. */
const OWN = "run_own";

const TASKS = `
import { writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { task } from "@acme/sdk";
const channel = Number(/^fd:(\\d+)$/.exec(process.env.ACME_CHANNEL ?? "fd:3")[1]);
async function write(text: string) {
  for (let bytes = Buffer.from(text); bytes.length > 0; ) {
    try {
      bytes = bytes.subarray(writeSync(channel, bytes));
    } catch (error) {
      // The host has not read the lines before it.
      if (error.code !== "EAGAIN") throw error;
      await setTimeout(1);
    }
  }
}
export const intruder = task({
  id: "intruder",
  retry: { maxAttempts: 1 },
  maxDuration: 20,
  run: async ({ lines }: { lines: string[] }, { ctx }) => {
    for (const line of lines) await write(line.replaceAll("${OWN}", ctx.run.id) + "\\n");
    return "written";
  },
});
export const honest = task({ id: "honest", run: async () => "fine" });`;

let server: LocalServer;
beforeAll(async () => {
  server = await startLocalServer({ example: false });
  await deployTaskFile(server, TASKS);
}, 180_000);
afterAll(() => server?.stop());

/** Each kind of message has a schema of its own. */
const messagesOf = ({ anyOf, oneOf }: Schema): Schema[] => anyOf ?? oneOf ?? [];

const schema = z.toJSONSchema(RuntimeToHost, { io: "input", unrepresentable: "any" }) as Schema;
const context: SchemaContext = {
  resolve: () => ({}),
  known: (name) =>
    name === "runId" ? OWN : name === "token" || name === "attempt" ? "1" : name === "seq" ? "1" : null,
};
/** The fields of all messages, for lines that are valid except for one field. */
const fields = messagesOf(schema).flatMap((message) =>
  fieldsOf(message, context).flatMap(({ name, path, schema: field }) =>
    fieldValues(name, field).map((values) => ({ message, path, values })),
  ),
);

/** Longer than a run takes that waits for nothing. */
const PATIENCE_MS = 20_000;

const lines: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: jsonTexts(schema, context) },
  {
    weight: 5,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...fields),
        fc.nat(),
        fc.noShrink(fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))),
      )
      .map(([{ message, path, values }, n, randoms]) =>
        textWithField(message, context, {
          path,
          value: values[n % values.length] as string,
          random: () => randoms.next().value,
        }),
      ),
  },
  { weight: 1, arbitrary: hostileText.map((text) => text.replaceAll("\n", " ")) },
);

/** Parses a line as the host does; null if it is not a message. */
function messageOf(line: string): RuntimeToHost | null {
  try {
    return RuntimeToHost.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

/** Messages after which the host accepts, or may accept, no more messages of a run. */
const LAST = new Set<RuntimeToHost["type"]>(["completed", "suspended"]);
/** The server refuses an inconsistent journal, which ends the run. */
const MAY_BE_LAST = new Set<RuntimeToHost["type"]>(["journal"]);

const mark = JSON.stringify({
  type: "log",
  runId: OWN,
  attempt: 1,
  entries: [{ time: 1_800_000_000_000, level: "info", message: MARK }],
});

/** The lines of one run: messages that a run may report, a mark, and then the line that ends it. */
function rowsOf(count: number): string[][] {
  const rights: string[] = [];
  const mayEnd: string[] = [];
  const ends: string[] = [];
  const wrongs: string[] = [];
  for (const line of fc.sample(lines, { seed, numRuns: count * LINES_PER_RUN })) {
    const type = messageOf(line)?.type;
    // A `hello` ends the process unless it knows the token of the channel.
    if (type === undefined || type === "hello") wrongs.push(line);
    else if (LAST.has(type)) ends.push(line);
    else if (MAY_BE_LAST.has(type)) mayEnd.push(line);
    else rights.push(line);
  }
  const share = (of: string[], n: number) =>
    of.slice(Math.floor((n * of.length) / count), Math.floor(((n + 1) * of.length) / count));
  return Array.from({ length: count }, (_, n) => [
    ...share(rights, n),
    mark,
    ...share(mayEnd, n),
    ...share(ends, n),
    ...share(wrongs, n).slice(0, 1),
  ]);
}

/** A message may make its run wait for years. The test then cancels the run, which must end it. */
async function endOf(id: string) {
  const isOver = async () => (await runs.retrieve(id)).isCompleted;
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isOver()) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200));
  if (!(await isOver())) await runs.cancel(id);
  return runs.poll(id, { pollIntervalMs: 200 });
}

it(`the messages of ${runCount} tasks harm nobody (FUZZ_SEED=${seed})`, async () => {
  await auth.withAuth({ baseURL: server.apiUrl, accessToken: server.secretKey }, async () => {
    const rows = rowsOf(runCount);
    const handles = await Promise.all(rows.map((row) => tasks.trigger("intruder", { lines: row })));
    // Other tasks' runs, while all of that is written.
    const others = await Promise.all(rows.map(() => tasks.trigger("honest", {})));
    const statuses: Record<string, number> = {};
    for (const { id } of handles) {
      const { status } = await endOf(id);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    for (const { id } of others) {
      const other = await runs.poll(id, { pollIntervalMs: 100 });
      expect([id, other.status, other.output]).toEqual([id, "COMPLETED", "fine"]);
    }
    let marks = 0;
    // Everything that was stored can be read.
    for await (const run of runs.list({ limit: 100 })) {
      const parts = ["", "/events", "/attempts", "/logs", "/trace", "/why"];
      for (const part of parts) {
        const path = `${part === "" ? "v3" : "v1"}/runs/${run.id}${part}`;
        const answer = await fetch(`${server.apiUrl}/api/${path}`, {
          headers: { authorization: `Bearer ${server.secretKey}` },
        });
        expect([path, answer.status]).toEqual([path, 200]);
        const text = JSON.stringify(await answer.json());
        if (part === "/logs" && text.includes(MARK)) marks += 1;
      }
    }
    const written = rows.reduce((sum, row) => sum + row.length, 0);
    console.log(
      `fuzz: seed ${seed}, ${written} lines, ${marks} of ${runCount} rows read whole, runs ${JSON.stringify(statuses)}`,
    );
    // Lines that were not read up to their mark test little.
    expect(marks).toBeGreaterThan(runCount / 2);
  });
  // The host survived.
  expect(server.output()).not.toMatch(/host .*(crashed|restart)/i);
}, 400_000);
