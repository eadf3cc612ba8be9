import type { EnvironmentRef, RunRecord, RunRow } from "@acme/durable-objects/rpc";
import { isFinal, isSuccess, publicStatus, RunStatus, serializeError } from "@acme/sdk/contract";
import type { RetrieveRunResponse, RunSummary } from "@acme/sdk/contract/api";
import { deserialize } from "superjson";
import type { Bindings } from "../bindings.ts";
import { type Packet, resolve } from "../storage/packets.ts";

const iso = (time: number | null): string | undefined =>
  time === null ? undefined : new Date(time).toISOString();

/** A run as lists and related runs show it. */
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
    createdAt: new Date(run.createdAt).toISOString(),
    updatedAt: new Date(run.updatedAt).toISOString(),
    startedAt: iso(run.startedAt),
    finishedAt: iso(run.completedAt),
    delayedUntil: iso(run.delayUntil),
    ttl: run.ttlMs === null ? undefined : `${Math.round(run.ttlMs / 1000)}s`,
    expiredAt: iso(run.expiredAt),
    tags: run.tags,
    costInCents: 0,
    baseCostInCents: 0,
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

/** A run with everything it brought and left. Packets that lie in the blob store are fetched. */
export async function retrievedOf(
  env: Bindings,
  run: RunRecord,
  related: RetrieveRunResponse["relatedRuns"],
  schedule: RetrieveRunResponse["schedule"],
): Promise<RetrieveRunResponse> {
  const [payload, output] = await Promise.all([
    packetValue(env, run, run.payload, run.payloadType),
    packetValue(env, run, run.output, run.outputType ?? "application/json"),
  ]);
  return {
    ...summaryOf(run),
    payload,
    output,
    error: run.error ? serializeError(run.error) : undefined,
    metadata: run.metadata ? (JSON.parse(run.metadata) as Record<string, unknown>) : undefined,
    schedule,
    relatedRuns: related,
  };
}

async function packetValue(
  env: Bindings,
  run: RunRecord,
  text: string | null,
  type: string,
): Promise<unknown> {
  if (text === null) return undefined;
  return parsePacket(await resolve(env, run.environmentKey, { text, type }));
}

function parsePacket({ text, type }: Packet): unknown {
  if (type === "application/super+json")
    return deserialize(JSON.parse(text) as Parameters<typeof deserialize>[0]);
  if (type === "application/json") return JSON.parse(text) as unknown;
  return text;
}
