import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { auth, runs, tasks } from "@acme/sdk";
import { parseRunId } from "@acme/sdk/contract";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const KEY_LIMIT = 2;
const TOTAL_LIMIT = 3;
const RATE = { limit: 10, period: 2_000, burst: 2 };
const RUNS = 36;
const PARTITIONS = 3;

/** Each run records when it starts and when it is about to end. */
const tasksWriting = (file: string) => `
import { appendFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { queue, task } from "@acme/sdk";

const concurrent = queue({ name: "concurrent", concurrencyLimit: ${KEY_LIMIT}, totalConcurrencyLimit: ${TOTAL_LIMIT} });
const rated = queue({ name: "rated", rateLimit: ${JSON.stringify(RATE)} });
const split = queue({ name: "split", concurrencyLimit: ${TOTAL_LIMIT}, partitions: ${PARTITIONS} });

async function run({ name, key }: { name: string; key: string }) {
  const note = (what: string) =>
    appendFileSync(${JSON.stringify(file)}, JSON.stringify({ what, name, key, at: performance.timeOrigin + performance.now() }) + "\\n");
  note("start");
  await setTimeout(200);
  note("end");
}
export const concurrentTask = task({ id: "concurrent", queue: concurrent, run });
export const ratedTask = task({ id: "rated", queue: rated, run });
export const splitTask = task({ id: "split", queue: split, run });
`;

interface Note {
  what: "start" | "end";
  name: string;
  key: string;
  at: number;
}

let server: LocalServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "acme-limits-"));
  // Tasks append to it, as another user where this one is root.
  chmodSync(folder, 0o711);
  writeFileSync(join(folder, "notes"), "");
  chmodSync(join(folder, "notes"), 0o666);
  server = await startLocalServer({ executor: "process", example: false });
  await deployTaskFile(server, tasksWriting(join(folder, "notes")));
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const notes = (): Note[] =>
  readFileSync(join(folder, "notes"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Note);

/** The maximum number of runs that executed at one moment. */
function mostAtOnce(of: Note[]): number {
  let now = 0;
  let most = 0;
  for (const { what } of of.toSorted((a, b) => a.at - b.at)) {
    now += what === "start" ? 1 : -1;
    most = Math.max(most, now);
  }
  return most;
}

it("limits of queues hold in real processes, also while the Worker is killed and started again", () =>
  auth.withAuth({ baseURL: server.apiUrl, accessToken: server.secretKey }, async () => {
    const trigger = async (task: string, index: number): Promise<string> => {
      const key = index % 3 === 0 ? "a" : "b";
      const payload = { name: task, key };
      // Without a key they are spread over all partitions.
      const options = task === "split" ? {} : { concurrencyKey: key };
      return (await tasks.trigger(task, payload, options)).id;
    };
    const all = Array.from({ length: RUNS }, (_, index) => index);
    const ids = await Promise.all(
      all.flatMap((n) => ["concurrent", "rated", "split"].map((task) => trigger(task, n))),
    );
    for (const done of [10, 60]) {
      await eventually(`${done} have started`, () => notes().length / 2 >= done);
      const before = server.pids().worker;
      server.kill("worker", "SIGKILL");
      await eventually("there is another Worker", () => server.pids().worker !== before);
    }
    for (const id of ids) expect((await runs.poll(id, { pollIntervalMs: 250 })).status).toBe("COMPLETED");

    const concurrent = notes().filter(({ name }) => name === "concurrent");
    expect(concurrent).toHaveLength(2 * RUNS);
    expect(mostAtOnce(concurrent)).toBeLessThanOrEqual(TOTAL_LIMIT);
    for (const key of ["a", "b"])
      expect(mostAtOnce(concurrent.filter((note) => note.key === key))).toBeLessThanOrEqual(KEY_LIMIT);

    const spread = notes().filter(({ name }) => name === "split");
    expect(spread).toHaveLength(2 * RUNS);
    expect(mostAtOnce(spread)).toBeLessThanOrEqual(TOTAL_LIMIT);
    expect(new Set(ids.map((id) => parseRunId(id)?.queueKey)).size).toBe(2 + PARTITIONS);

    const starts = notes().filter(({ name, what }) => name === "rated" && what === "start");
    expect(starts).toHaveLength(RUNS);
    // Starts are counted when runs are leased, before they start: the delay is longer for a run that needs a
    // new process. The simulation counts to the millisecond.
    const JITTER_MS = RATE.period / 2;
    for (const { at } of starts) {
      const within = starts.filter((other) => other.at >= at && other.at < at + RATE.period - JITTER_MS);
      expect(within.length).toBeLessThanOrEqual(RATE.limit + RATE.burst - 1);
    }
  }));
