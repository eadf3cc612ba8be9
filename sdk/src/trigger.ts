import { environmentVariable } from "./client/configuration.ts";
import { request } from "./client/request.ts";
import type { ApiRequestOptions } from "./client/request-options.ts";
import { idempotencyKeyOptions, toIdempotencyKey } from "./idempotency-keys.ts";
import { encodePacket, JSON_TYPE } from "./packet.ts";
import { currentRun } from "./state.ts";
import type { RunHandle } from "./task-types.ts";
import type { TriggerOptions } from "./trigger-options.ts";

/** `POST /api/v1/tasks/:id/trigger`. */
export async function triggerTask<TIdentifier extends string, TInput, TOutput>(
  taskId: TIdentifier,
  payload: unknown,
  options: TriggerOptions | undefined,
  requestOptions: ApiRequestOptions | undefined,
): Promise<RunHandle<TIdentifier, TInput, TOutput>> {
  const body = await triggerBody(payload, options);
  const path = `/api/v1/tasks/${encodeURIComponent(taskId)}/trigger`;
  const { data, response } = await request<{ id: string; isCached?: boolean }>(
    { method: "POST", path, body },
    requestOptions,
  );
  return {
    ...data,
    publicAccessToken: response.headers.get("x-trigger-jwt") ?? undefined,
    taskIdentifier: taskId,
  };
}

const NOT_YET = ["debounce", "concurrency", "externalDeploymentId"] as const;

async function triggerBody(payload: unknown, options: TriggerOptions | undefined): Promise<object> {
  for (const name of NOT_YET) {
    if (options && name in options)
      throw new Error(`The trigger option "${name}" is not available in Acme yet`);
  }
  const packet = encodePacket(payload);
  const ctx = currentRun()?.ctx;
  const key = await toIdempotencyKey(options?.idempotencyKey);
  return {
    // Plain JSON goes as it is, not as text within text.
    payload: packet.dataType === JSON_TYPE ? payload : packet.data,
    options: {
      queue: typeof options?.queue === "string" ? { name: options.queue } : options?.queue,
      concurrencyKey: options?.concurrencyKey,
      test: ctx?.run.isTest,
      payloadType: packet.dataType,
      idempotencyKey: key,
      idempotencyKeyTTL: options?.idempotencyKeyTTL,
      idempotencyKeyOptions: key ? idempotencyKeyOptions(key) : undefined,
      delay: options?.delay,
      ttl: options?.ttl,
      tags: options?.tags,
      maxAttempts: options?.maxAttempts,
      metadata: options?.metadata,
      maxDuration: options?.maxDuration,
      parentRunId: ctx?.run.id,
      machine: options?.machine,
      priority: options?.priority,
      lockToVersion:
        options?.version ?? environmentVariable("ACME_VERSION") ?? environmentVariable("TRIGGER_VERSION"),
    },
  };
}
