import { newEnvironmentId, parseEnvironmentId } from "@acme/durable-objects/routing";
import type { BatchOwnerRpc, BatchRecord, EnvironmentRef } from "@acme/durable-objects/rpc";
import { DEFAULTS } from "@acme/sdk/contract";
import { batchOperationName, type OperationRef } from "@acme/sdk/contract/api";
import { digest } from "../auth/tokens.ts";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { batchObjectOf } from "../objects.ts";
import { ancestorsOf, claimTarget } from "../runs/operation.ts";
import { RunPreparation } from "../runs/prepare-run.ts";

export interface BatchInput {
  /** Default: a new one. */
  id?: string;
  runCount: number;
  taskIdentifiers?: string[];
  parentRunId?: string;
  resumeParentOnCompletion?: boolean;
  idempotencyKey?: string;
}

/**
 * Creates an empty batch, or finds the one that the operation or the idempotency key belongs to. The operation takes
 * precedence: a later attempt at it finds its batch even if the key has expired.
 */
export async function createBatch(
  env: Bindings,
  environment: EnvironmentRef,
  input: BatchInput,
  operation: OperationRef | undefined,
): Promise<BatchRecord> {
  const preparation = new RunPreparation(env, environment);
  const parentRunId = operation?.runId ?? input.parentRunId ?? null;
  const waits = operation !== undefined && input.resumeParentOnCompletion === true;
  if (parentRunId !== null) await preparation.familyOf(parentRunId, waits);
  const ancestors = waits ? await ancestorsOf(preparation, operation.runId) : [];

  let id = input.id ?? newEnvironmentId("batch", environment.key);
  if (input.idempotencyKey !== undefined) {
    const home = batchObjectOf(env, `key:${environment.key}:${digest(input.idempotencyKey)}`);
    id = (await home.claimKey({ id, expiresAt: Date.now() + DEFAULTS.idempotencyKeyTtlMs })).id;
  }
  if (operation) {
    const kind = waits ? "batch" : "batch-trigger";
    const name = batchOperationName(input.taskIdentifiers ?? []);
    id = await claimTarget(env, environment, operation, { kind, name, target: id });
  }
  return batchObjectOf(env, id).createBatch({
    id,
    environment,
    runCount: input.runCount,
    idempotencyKey: input.idempotencyKey ?? null,
    parentRunId,
    ancestors,
    waiter: waits ? operation : undefined,
  });
}

/**
 * Returns a batch of this environment. Throws a 404 for another environment's batch, as for one that never
 * existed.
 */
export async function batchOf(
  env: Bindings,
  environment: EnvironmentRef,
  id: string,
): Promise<{ owner: BatchOwnerRpc; batch: BatchRecord }> {
  const parts = parseEnvironmentId(id);
  const owner = batchObjectOf(env, id);
  const batch =
    parts?.prefix === "batch" && parts.environmentKey === environment.key
      ? await owner.retrieveBatch(environment.key)
      : null;
  if (!batch) {
    throw new Failure(404, "batch_not_found", `Batch ${id} was not found in this environment.`);
  }
  return { owner, batch };
}
