import { claimRunId, enqueueRuns } from "@acme/durable-objects/routing";
import type { EnvironmentRef, TriggerResult } from "@acme/durable-objects/rpc";
import type { OperationRef } from "@acme/sdk/contract/api";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { queueObjectOf } from "../objects.ts";
import { ancestorsOf, claimTarget, waitsOnItself } from "./operation.ts";
import { type PreparedRun, RunPreparation, type TriggerInput } from "./prepare-run.ts";

export type { TriggerInput } from "./prepare-run.ts";

/**
 * Creates one run, or finds the one that its idempotency key belongs to. One object call, no database read.
 * `admit` is called after the input was validated and before anything is created; if it throws, the trigger
 * is refused.
 */
export async function triggerRun(
  env: Bindings,
  environment: EnvironmentRef,
  input: TriggerInput,
  admit?: () => Promise<void>,
): Promise<TriggerResult> {
  const prepared = await new RunPreparation(env, environment, input.traceparent).prepare(input);
  await admit?.();
  return create(env, prepared);
}

/**
 * Creates the child of a run's operation. A repeated call returns the same child. Its id is known to the
 * parent's journal before it is created, so a later attempt at the operation finds it.
 */
export async function triggerChild(
  env: Bindings,
  environment: EnvironmentRef,
  operation: OperationRef,
  input: TriggerInput,
): Promise<TriggerResult> {
  const preparation = new RunPreparation(env, environment, input.traceparent);
  const waits = input.body.options?.resumeParentOnCompletion ?? false;
  const options = { ...input.body.options, parentRunId: operation.runId };
  const { item, ...prepared } = await preparation.prepare({
    ...input,
    parentWaits: waits,
    operationKey: `${operation.runId} ${operation.attempt} ${operation.number}`,
    body: { ...input.body, options },
  });
  const asked = await claimRunId((key) => queueObjectOf(env, key), environment, item);
  if (
    waits &&
    !asked.claimed &&
    (await ancestorsOf(preparation, operation.runId)).includes(asked.item.runId)
  ) {
    throw waitsOnItself(asked.item.runId, operation.runId);
  }
  const kind = waits ? "run" : "trigger";
  const runId = await claimTarget(env, environment, operation, {
    kind,
    name: input.task,
    target: asked.item.runId,
  });
  const created = await create(env, {
    ...prepared,
    item: {
      ...asked.item,
      runId,
      waiter: waits ? { type: "operation", ...operation } : undefined,
    },
  });
  return { ...created, cached: !asked.claimed };
}

async function create(env: Bindings, { item, ...queue }: PreparedRun): Promise<TriggerResult> {
  const [result] = await enqueueRuns((key) => queueObjectOf(env, key), { ...queue, items: [item] });
  if (result?.error === "queue_full") {
    throw new Failure(
      429,
      "queue_full",
      `Queue "${queue.target.queue}" is full: ${queue.split ? "this one of its partitions" : "it"} holds ${result.sizeLimit} runs that have not started, which is its ${queue.split ? "share of the limit" : "limit"}. Nothing was created; ` +
        "try again when it has drained, or have the limit of the environment raised.",
      { headers: { "retry-after": "60" } },
    );
  }
  return result as TriggerResult;
}
