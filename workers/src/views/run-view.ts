import type { EnvironmentRef, RunRecord, RunRow } from "@acme/durable-objects/rpc";
import { isFinal, isSuccess, publicStatus, RunStatus, serializeError } from "@acme/sdk/contract";
import type { RetrieveRunResponse, RunSummary } from "@acme/sdk/contract/api";
import type { Bindings } from "../bindings.ts";
import { jsonOfPacket, jsonWith, shownPacket } from "./packet-view.ts";
import { costOf } from "./run-cost.ts";
import { isoTime, optionalTime } from "./time.ts";

/** Returns a run as shown in lists and as a related run. */
export function summaryOf(run: RunRow): RunSummary {
  const status = publicStatus(run.status);
  const final = isFinal(run.status);
  const success = isSuccess(run.status);
  return {
    id: run.id,
    status,
    taskIdentifier: run.task,
    idempotencyKey: run.userIdempotencyKey ?? run.idempotencyKey ?? undefined,
    version: run.deploymentVersion ?? undefined,
    isQueued: status === "QUEUED" || status === "PENDING_VERSION" || status === "DELAYED",
    isExecuting: status === "EXECUTING" || status === "DEQUEUED",
    isWaiting: status === "WAITING",
    isCompleted: final,
    isSuccess: success,
    isFailed: final && !success && run.status !== RunStatus.CANCELED,
    isCancelled: run.status === RunStatus.CANCELED,
    isTest: run.isTest,
    createdAt: isoTime(run.createdAt),
    updatedAt: isoTime(run.updatedAt),
    startedAt: optionalTime(run.startedAt),
    finishedAt: optionalTime(run.completedAt),
    delayedUntil: optionalTime(run.delayUntil),
    ttl: run.ttlMs === null ? undefined : `${Math.round(run.ttlMs / 1000)}s`,
    expiredAt: optionalTime(run.expiredAt),
    tags: run.tags,
    ...costOf(run),
    durationMs: run.usageMs,
    depth: run.depth,
    batchId: run.batchId ?? undefined,
    triggerFunction: "trigger",
    queue: run.queue,
    attemptCount: run.attempts,
  };
}

export const listedOf = (run: RunRow, environment: EnvironmentRef) => ({
  ...summaryOf(run),
  env: { id: environment.id, name: environment.slug },
});

/** Returns the complete JSON of a run (`RetrieveRunResponse`). Packets in the blob store are fetched. */
export async function retrievedJson(
  env: Bindings,
  run: RunRecord,
  related: RetrieveRunResponse["relatedRuns"],
  schedule: RetrieveRunResponse["schedule"],
): Promise<string> {
  const [payload, output] = await Promise.all([
    packetJson(env, run, run.payload, run.payloadType),
    packetJson(env, run, run.output, run.outputType ?? "application/json"),
  ]);
  const error = run.error ? serializeError(run.error) : undefined;
  const metadata = run.metadata ? jsonOfPacket({ text: run.metadata, type: "application/json" }) : undefined;
  return jsonWith(
    { ...summaryOf(run), error, schedule, relatedRuns: related },
    { payload, output, metadata },
  );
}

async function packetJson(
  env: Bindings,
  run: RunRecord,
  text: string | null,
  type: string,
): Promise<string | undefined> {
  return text === null ? undefined : jsonOfPacket(await shownPacket(env, run.environmentKey, { text, type }));
}
