import type { EnvironmentRef, RunRecord, TriggerResult } from "@acme/durable-objects/rpc";
import type { ReplayBody } from "@acme/sdk/contract/api";
import type { z } from "zod";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { resolve } from "../storage/packets.ts";
import { triggerRun } from "./trigger-run.ts";

/** Triggers a copy of a run, changed as the body says. The same request key gives the same copy. */
export async function replayRun(
  env: Bindings,
  environment: EnvironmentRef,
  run: RunRecord,
  body: z.infer<typeof ReplayBody>,
  requestKey: string | undefined,
  bulkAction?: string,
): Promise<TriggerResult> {
  const original =
    run.payload === null
      ? null
      : await resolve(env, environment.key, { text: run.payload, type: run.payloadType });
  if (run.payload !== null && !original && body.payload === undefined) {
    throw new Failure(
      422,
      "payload_not_found",
      `The payload of run ${run.id} is no longer stored. Send \`payload\` to replay the run with another one.`,
    );
  }
  const { payload, payloadType, metadata, queue, version, region: _, ...options } = body;
  const changed = payload !== undefined;
  return triggerRun(env, environment, {
    task: run.task,
    replayedFrom: run.id,
    limits: run.limits.length > 0 ? run.limits : undefined,
    requestKey,
    bulkAction,
    body: {
      payload: changed ? payload : original?.text,
      options: {
        payloadType: changed ? payloadType : original?.type,
        queue: { name: queue ?? run.queue },
        concurrencyKey: run.concurrencyKey ?? undefined,
        maxAttempts: run.maxAttempts ?? undefined,
        maxDuration: run.maxDuration ?? undefined,
        machine: run.machine as "small-1x",
        metadata: metadata ?? (run.metadata ? JSON.parse(run.metadata) : undefined),
        tags: run.tags,
        test: run.isTest,
        lockToVersion: version,
        ...options,
      },
    },
  });
}
