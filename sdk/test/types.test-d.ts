/**
 * Checked by `tsc -p sdk`, never run: what the types of tasks, triggers and runs infer. A line that has to be an error
 * is marked with ts-expect-error, so that its disappearance is an error too.
 */
import { z } from "zod";
import {
  type Context,
  type InferTaskOutput,
  type InferTaskPayload,
  locals,
  queue,
  runs,
  type ScheduledTaskPayload,
  schedules,
  schemaTask,
  task,
  tasks,
} from "../src/index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <A, B>(_: Equal<A, B>): void => {};

const hello = task({
  id: "hello",
  queue: { concurrencyLimit: 2 },
  run: async (payload: { name: string }, { ctx, signal }) => {
    expectType<typeof ctx, Context>(true);
    expectType<typeof signal, AbortSignal>(true);
    return { message: payload.name };
  },
});
expectType<InferTaskPayload<typeof hello>, { name: string }>(true);
expectType<InferTaskOutput<typeof hello>, { message: string }>(true);

const nothing = task({ id: "nothing", run: async () => {} });
const maybe = task({ id: "maybe", run: async (_: number) => (Math.random() > 0.5 ? String(_) : undefined) });
expectType<InferTaskOutput<typeof maybe>, string | undefined>(true);

const parsed = schemaTask({
  id: "parsed",
  schema: z.object({ at: z.string().transform((text) => new Date(text)), count: z.number().default(1) }),
  run: async (payload) => {
    expectType<typeof payload, { at: Date; count: number }>(true);
    return payload.count;
  },
});
const byFunction = schemaTask({
  id: "by-function",
  schema: (input: unknown) => ({ text: String(input) }),
  run: async (payload) => {
    expectType<typeof payload, { text: string }>(true);
    return payload.text;
  },
});

task({
  id: "hooks",
  queue: queue({ name: "shared", concurrencyLimit: 1 }),
  init: async () => ({ db: "open" }),
  run: async (payload: string, { init }) => {
    expectType<typeof init, { db: string } | undefined>(true);
    return payload.length;
  },
  onSuccess: async ({ output, payload, init }) => {
    expectType<typeof output, number>(true);
    expectType<typeof payload, string>(true);
    expectType<typeof init, { db: string } | undefined>(true);
  },
  catchError: ({ error, retryDelayInMs }) => {
    expectType<typeof error, unknown>(true);
    expectType<typeof retryDelayInMs, number | undefined>(true);
    return { skipRetrying: true };
  },
  middleware: async ({ next }) => next(),
});

export async function triggers(): Promise<void> {
  await nothing.trigger();
  // @ts-expect-error a payload is needed
  await hello.trigger();
  // @ts-expect-error of another shape
  await hello.trigger({ nam: "Ada" });
  const handle = await hello.trigger(
    { name: "Ada" },
    { delay: new Date(), tags: ["a"], priority: 3, machine: "micro" },
  );
  expectType<typeof handle.taskIdentifier, "hello">(true);
  const run = await runs.retrieve(handle);
  expectType<typeof run.output, { message: string } | undefined>(true);
  expectType<typeof run.payload, { name: string } | undefined>(true);
  expectType<typeof run.createdAt, Date>(true);

  const byId = await tasks.trigger<typeof hello>("hello", { name: "Ada" });
  const polled = await runs.poll(byId, { pollIntervalMs: 10 });
  expectType<typeof polled.output, { message: string } | undefined>(true);
  // @ts-expect-error not the task's id
  await tasks.trigger<typeof hello>("hallo", { name: "Ada" });
  // @ts-expect-error not the task's payload
  await tasks.trigger<typeof hello>("hello", { name: 1 });
  await tasks.trigger("untyped", { anything: true });

  const typed = await runs.retrieve<typeof hello>("run_1");
  expectType<typeof typed.output, { message: string } | undefined>(true);
  const untyped = await runs.retrieve("run_1");
  expectType<typeof untyped.output, unknown>(true);

  await parsed.trigger({ at: "2026-01-01" });
  // @ts-expect-error the schema's input is text
  await parsed.trigger({ at: new Date() });
  const number = await runs.poll(await parsed.trigger({ at: "2026-01-01", count: 2 }));
  expectType<typeof number.output, number | undefined>(true);
  await byFunction.trigger({ text: "a" });

  for await (const item of runs.list({ status: ["COMPLETED", "FAILED"], limit: 5 })) {
    expectType<typeof item.id, string>(true);
  }
  // @ts-expect-error no such status
  runs.list({ status: "DONE" });

  const key = locals.create<{ user: string }>("user");
  expectType<ReturnType<typeof locals.getOrThrow<{ user: string }>>, { user: string }>(true);
  locals.set(key, { user: "Ada" });
}

const clock = schedules.task({
  id: "clock",
  cron: { pattern: "0 3 * * *", timezone: "Europe/Paris", environments: ["PRODUCTION"], window: "30m" },
  run: async (payload) => {
    expectType<typeof payload, ScheduledTaskPayload>(true);
    expectType<typeof payload.upcoming, Date[]>(true);
    return payload.timestamp.getTime();
  },
});
expectType<InferTaskOutput<typeof clock>, number>(true);
schedules.task({ id: "attached", run: async ({ externalId }) => externalId });
// @ts-expect-error there is no such environment
schedules.task({ id: "wrong", cron: { pattern: "@daily", environments: ["prod"] }, run: async () => {} });
// @ts-expect-error without a deduplication key every call would make another one
schedules.create({ task: "clock", cron: "@daily" });

tasks.onFailure(({ error, ctx }) => void [error, ctx.run.id]);
tasks.middleware("named", async ({ next }) => next());
// @ts-expect-error a task needs a run function
task({ id: "no-run" });
