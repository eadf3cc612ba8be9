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
 * A task that writes to its runtime's channel whatever it likes: messages of the protocol, right and wrong in every way, of
 * its own run and of none. The seed follows from the commit; `FUZZ_SEED=N` sets another, `FUZZ_ROUNDS=N` makes it longer.
 * Whatever it writes, its host and the server keep working, and everything that was recorded can be read.
 */
const seed = Number(process.env.FUZZ_SEED || firstSeedOfCommit().from);
const rounds = Number(process.env.FUZZ_ROUNDS || 12);
const LINES_PER_RUN = 60;
/** The task's own run id, which it puts in the place of this. */
const OWN = "run_own";

const TASKS = `
import { writeSync } from "node:fs";
import { task } from "@acme/sdk";
const channel = Number(/^fd:(\\d+)$/.exec(process.env.ACME_CHANNEL ?? "fd:3")[1]);
export const intruder = task({
  id: "intruder",
  retry: { maxAttempts: 1 },
  maxDuration: 20,
  run: async ({ lines }: { lines: string[] }, { ctx }) => {
    for (const line of lines) {
      const text = line.replaceAll("${OWN}", ctx.run.id) + "\\n";
      try { writeSync(channel, text); } catch { break; }
    }
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
/** The fields of all messages: lines that are as they should be, except for one of them. */
const fields = messagesOf(schema).flatMap((message) =>
  fieldsOf(message, context).flatMap(({ name, path, schema: field }) =>
    fieldValues(name, field).map((values) => ({ message, path, values })),
  ),
);

/** Longer than a run takes that has nothing to wait for. */
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

/** A message may make its run wait for years. The test then cancels the run, which has to end it. */
async function endOf(id: string) {
  const isOver = async () => (await runs.retrieve(id)).isCompleted;
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isOver()) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 200));
  if (!(await isOver())) await runs.cancel(id);
  return runs.poll(id, { pollIntervalMs: 200 });
}

it(`a task's ${rounds * LINES_PER_RUN} messages harm nobody (FUZZ_SEED=${seed})`, async () => {
  await auth.withAuth({ baseURL: server.apiUrl, accessToken: server.secretKey }, async () => {
    const statuses = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      const written = fc.sample(lines, { seed: seed + round, numRuns: LINES_PER_RUN });
      const handle = await tasks.trigger("intruder", { lines: written });
      const run = await endOf(handle.id);
      statuses.set(run.status, (statuses.get(run.status) ?? 0) + 1);
      const other = await runs.poll(await tasks.trigger("honest", {}), { pollIntervalMs: 100 });
      expect([round, other.status, other.output]).toEqual([round, "COMPLETED", "fine"]);
    }
    console.log(`fuzz: seed ${seed}, runs ${JSON.stringify(Object.fromEntries(statuses))}`);
    // Everything that came of it can be read.
    for await (const run of runs.list({ limit: 100 })) {
      for (const path of [`v3/runs/${run.id}`, `v1/runs/${run.id}/events`, `v1/runs/${run.id}/attempts`]) {
        const answer = await fetch(`${server.apiUrl}/api/${path}`, {
          headers: { authorization: `Bearer ${server.secretKey}` },
        });
        expect([path, answer.status]).toEqual([path, 200]);
        await answer.json();
      }
    }
  });
  // The host did not die under it.
  expect(server.output()).not.toMatch(/host .*(crashed|restart)/i);
}, 400_000);
