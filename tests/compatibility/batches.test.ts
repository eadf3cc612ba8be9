import { batch, configure, runs, task } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { task } from "@trigger.dev/sdk";
export const double = task({ id: "double", run: async ({ n }) => ({ double: n * 2 }) });
export const shout = task({ id: "shout", retry: { maxAttempts: 1 }, run: async ({ text }) => {
  if (!text) throw new Error("Nothing to shout");
  return text.toUpperCase();
} });
`;

// The published client's own task objects, as in a backend that shares code with its tasks.
const double = task({ id: "double", run: async ({ n }: { n: number }) => ({ double: n * 2 }) });
const shout = task({ id: "shout", run: async ({ text }: { text: string }) => text.toUpperCase() });

interface Results {
  items: { index: number; ok: boolean; output?: string; taskIdentifier: string }[];
}

describe("batches of @trigger.dev/sdk 4.8.3", () => {
  let server: LocalServer;
  beforeAll(async () => {
    server = await startLocalServer({ example: false });
    configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
    await deployTaskFile(server, TASKS);
  });
  afterAll(() => server?.stop());

  const untilOver = (id: string) =>
    eventually(`batch ${id} is over`, async () => {
      const found = await batch.retrieve(id);
      return found.status !== "PENDING" && found.status !== "PROCESSING" && found;
    });
  const resultsOf = async (id: string): Promise<Results> =>
    (
      await fetch(`${server.apiUrl}/api/v1/batches/${id}/results`, {
        headers: { authorization: `Bearer ${server.secretKey}` },
      })
    ).json() as Promise<Results>;

  it("task.batchTrigger: each item has its run, in order, with its options", async () => {
    const handle = await double.batchTrigger(
      Array.from({ length: 25 }, (_, n) => ({ payload: { n }, options: { tags: [`item-${n}`] } })),
    );
    expect(handle).toMatchObject({ batchId: expect.stringMatching(/^batch_/), runCount: 25 });
    const over = await untilOver(handle.batchId);
    expect(over).toMatchObject({ id: handle.batchId, status: "COMPLETED", runCount: 25 });
    expect(over.processing.errors).toEqual([]);
    expect(new Set(over.runs).size).toBe(25);
    const third = await runs.retrieve(over.runs[3] as string);
    expect(third).toMatchObject({ tags: ["item-3"], batchId: handle.batchId, output: { double: 6 } });
    const { items } = await resultsOf(handle.batchId);
    expect(items.map(({ index, output }) => [index, JSON.parse(output as string).double])).toEqual(
      Array.from({ length: 25 }, (_, n) => [n, n * 2]),
    );
    await eventually(
      "the list follows",
      async () => (await runs.list({ batch: handle.batchId, limit: 100 })).data.length === 25,
    );
  });

  it("batch.trigger streams its items from a generator", async () => {
    async function* items() {
      for (let n = 0; n < 10; n++) yield { id: "double" as const, payload: { n } };
    }
    const handle = await batch.trigger<typeof double>(items());
    expect(handle.runCount).toBe(10);
    expect((await untilOver(handle.batchId)).status).toBe("COMPLETED");
  });

  it("batch.trigger and batch.triggerByTask mix tasks; an invalid item fails alone", async () => {
    const byId = await batch.trigger<typeof double | typeof shout>([
      { id: "double", payload: { n: 4 } },
      { id: "shout", payload: { text: "hey" } },
      { id: "shout", payload: { text: "" } },
      { id: "nope" as "shout", payload: { text: "never" } },
    ]);
    const over = await untilOver(byId.batchId);
    expect(over).toMatchObject({ status: "PARTIAL_FAILED", runCount: 4 });
    expect(over.runs).toHaveLength(3);
    expect(over.processing.errors).toEqual([
      {
        index: 3,
        taskIdentifier: "nope",
        errorCode: "task_not_found",
        error: expect.stringContaining('Task "nope" is not in deployment'),
      },
    ]);
    const { items } = await resultsOf(byId.batchId);
    expect(items.map(({ index, ok, taskIdentifier }) => [index, ok, taskIdentifier])).toEqual([
      [0, true, "double"],
      [1, true, "shout"],
      [2, false, "shout"],
      [3, false, "nope"],
    ]);

    const byTask = await batch.triggerByTask([
      { task: double, payload: { n: 5 } },
      { task: shout, payload: { text: "again" } },
    ]);
    const both = await untilOver(byTask.batchId);
    const outputs = await Promise.all(both.runs.map(async (id) => (await runs.retrieve(id)).output));
    expect(outputs).toEqual([{ double: 10 }, "AGAIN"]);
  });

  it("an idempotency key of an item gives one run over several batches, one of a batch one batch", async () => {
    const items = [{ payload: { n: 1 }, options: { idempotencyKey: `one-${Date.now()}` } }];
    const first = await untilOver((await double.batchTrigger(items)).batchId);
    const second = await untilOver((await double.batchTrigger(items)).batchId);
    expect(second.id).not.toBe(first.id);
    expect(second.runs).toEqual(first.runs);
    const idempotencyKey = `batch-${Date.now()}`;
    const [one, two] = [
      await double.batchTrigger([{ payload: { n: 1 } }], { idempotencyKey }),
      await double.batchTrigger([{ payload: { n: 1 } }], { idempotencyKey }),
    ];
    // The published client derives a key for each item from it, so that there is one run.
    expect((await untilOver(two.batchId)).runs).toEqual((await untilOver(one.batchId)).runs);
  });
});
