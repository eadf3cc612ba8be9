/**
 * Checked by `tsc -p sdk`, never run: what the types of tasks, triggers and runs infer. A line that has to be an error
 * is marked with ts-expect-error, so that its disappearance is an error too.
 */
import { z } from "zod";
import { locals, queue, runs, schedules, schemaTask, task, tasks } from "../src/index.js";

const expectType = (_) => {};
const hello = task({
  id: "hello",
  queue: { concurrencyLimit: 2 },
  run: async (payload, { ctx, signal }) => {
    expectType(true);
    expectType(true);
    return { message: payload.name };
  },
});
expectType(true);
expectType(true);
const nothing = task({ id: "nothing", run: async () => {} });
const maybe = task({ id: "maybe", run: async (_) => (Math.random() > 0.5 ? String(_) : undefined) });
expectType(true);
const parsed = schemaTask({
  id: "parsed",
  schema: z.object({ at: z.string().transform((text) => new Date(text)), count: z.number().default(1) }),
  run: async (payload) => {
    expectType(true);
    return payload.count;
  },
});
const byFunction = schemaTask({
  id: "by-function",
  schema: (input) => ({ text: String(input) }),
  run: async (payload) => {
    expectType(true);
    return payload.text;
  },
});
task({
  id: "hooks",
  queue: queue({ name: "shared", concurrencyLimit: 1 }),
  init: async () => ({ db: "open" }),
  run: async (payload, { init }) => {
    expectType(true);
    return payload.length;
  },
  onSuccess: async ({ output, payload, init }) => {
    expectType(true);
    expectType(true);
    expectType(true);
  },
  catchError: ({ error, retryDelayInMs }) => {
    expectType(true);
    expectType(true);
    return { skipRetrying: true };
  },
  middleware: async ({ next }) => next(),
});
export async function triggers() {
  await nothing.trigger();
  // @ts-expect-error a payload is needed
  await hello.trigger();
  // @ts-expect-error of another shape
  await hello.trigger({ nam: "Ada" });
  const handle = await hello.trigger(
    { name: "Ada" },
    { delay: new Date(), tags: ["a"], priority: 3, machine: "micro" },
  );
  expectType(true);
  const run = await runs.retrieve(handle);
  expectType(true);
  expectType(true);
  expectType(true);
  const byId = await tasks.trigger("hello", { name: "Ada" });
  const polled = await runs.poll(byId, { pollIntervalMs: 10 });
  expectType(true);
  // @ts-expect-error not the task's id
  await tasks.trigger("hallo", { name: "Ada" });
  // @ts-expect-error not the task's payload
  await tasks.trigger("hello", { name: 1 });
  await tasks.trigger("untyped", { anything: true });
  const typed = await runs.retrieve("run_1");
  expectType(true);
  const untyped = await runs.retrieve("run_1");
  expectType(true);
  await parsed.trigger({ at: "2026-01-01" });
  // @ts-expect-error the schema's input is text
  await parsed.trigger({ at: new Date() });
  const number = await runs.poll(await parsed.trigger({ at: "2026-01-01", count: 2 }));
  expectType(true);
  await byFunction.trigger({ text: "a" });
  for await (const item of runs.list({ status: ["COMPLETED", "FAILED"], limit: 5 })) {
    expectType(true);
  }
  // @ts-expect-error no such status
  runs.list({ status: "DONE" });
  const key = locals.create("user");
  expectType(true);
  locals.set(key, { user: "Ada" });
}
const clock = schedules.task({
  id: "clock",
  cron: { pattern: "0 3 * * *", timezone: "Europe/Paris", environments: ["PRODUCTION"], window: "30m" },
  run: async (payload) => {
    expectType(true);
    expectType(true);
    return payload.timestamp.getTime();
  },
});
expectType(true);
schedules.task({ id: "attached", run: async ({ externalId }) => externalId });
// @ts-expect-error there is no such environment
schedules.task({ id: "wrong", cron: { pattern: "@daily", environments: ["prod"] }, run: async () => {} });
// @ts-expect-error without a deduplication key every call would make another one
schedules.create({ task: "clock", cron: "@daily" });
tasks.onFailure(({ error, ctx }) => void [error, ctx.run.id]);
tasks.middleware("named", async ({ next }) => next());
// @ts-expect-error a task needs a run function
task({ id: "no-run" });
