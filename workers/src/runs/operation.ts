import type { EnvironmentRef, RunRecord } from "@acme/durable-objects/rpc";
import { type OperationKind, parseRunId } from "@acme/sdk/contract";
import { OPERATION_HEADER, type OperationRef, parseOperation } from "@acme/sdk/contract/api";
import type { Context } from "hono";
import type { App, Bindings } from "../bindings.ts";
import { Failure, runNotFound } from "../http/failure.ts";
import { queueObjectOf } from "../objects.ts";
import type { RunPreparation } from "./prepare-run.ts";

/** `lease`: the lease of the run whose token the call carries; undefined for a secret key. */
export type LeasedOperation = OperationRef & { lease?: number };

/**
 * Returns the operation for which a call is made; undefined if there is none. Throws if it belongs to another
 * environment, or to another run than the call's token.
 */
export function operationOf(c: Context<App>, environment: EnvironmentRef): LeasedOperation | undefined {
  const text = c.req.header(OPERATION_HEADER);
  if (text === undefined) return undefined;
  const operation = parseOperation(text);
  if (!operation) {
    throw new Failure(
      400,
      "invalid_operation",
      `The header ${OPERATION_HEADER} is "${text.slice(0, 200)}": give RUNID.ATTEMPT.NUMBER. Nothing was created.`,
    );
  }
  if (parseRunId(operation.runId)?.environmentKey !== environment.key) throw runNotFound(operation.runId);
  const { credential } = c.var;
  if (credential.type !== "run") return operation;
  if (credential.runId === operation.runId) return { ...operation, lease: credential.lease };
  throw new Failure(
    403,
    "not_your_run",
    `The token is that of run ${credential.runId}, the header ${OPERATION_HEADER} names run ${operation.runId}. Nothing was created.`,
  );
}

/** Throws a 400 if a call requests that a parent be resumed without naming the operation that waits. */
export function checkResumable(operation: OperationRef | undefined, resumes: boolean | undefined): void {
  if (!resumes || operation) return;
  throw new Failure(
    400,
    "operation_missing",
    `resumeParentOnCompletion needs the header ${OPERATION_HEADER} (RUNID.ATTEMPT.NUMBER): the operation of the run that waits. ` +
      "Outside of a run, trigger without it and poll. Nothing was created.",
  );
}

/**
 * Returns the id of what the operation creates: the given one, or that of an earlier claim. Throws a 409 if
 * its attempt has ended.
 */
export async function claimTarget(
  env: Bindings,
  environment: EnvironmentRef,
  operation: LeasedOperation,
  claim: { kind: OperationKind; name: string; target: string },
): Promise<string> {
  const owner = queueObjectOf(env, parseRunId(operation.runId)?.queueKey as string);
  const result = await owner.claimOperation(environment.key, { ...operation, ...claim });
  if (!("error" in result)) return result.target;
  if (result.error === "stale") throw new Failure(409, "stale_operation", result.message);
  throw runNotFound(operation.runId);
}

/**
 * Returns the run itself, its parent if that waits for it, and so on: the runs that can't end before this
 * one.
 */
export async function ancestorsOf(preparation: RunPreparation, runId: string): Promise<string[]> {
  const found: string[] = [];
  for (let id: string | null = runId; id !== null && !found.includes(id); ) {
    found.push(id);
    const run: RunRecord | null = await preparation.retrieveRun(id);
    id = run && run.waitDepth > 0 ? run.parentRunId : null;
  }
  return found;
}

export const waitsOnItself = (child: string, runId: string): Failure =>
  new Failure(
    409,
    "waits_on_itself",
    child === runId
      ? `Run ${runId} would wait for itself: the idempotency key belongs to this run itself. Use another key. Nothing was created.`
      : `Run ${runId} would wait for ${child}, which is one of its ancestors: neither could ever end. ` +
          "Use another idempotency key. Nothing was created.",
  );
