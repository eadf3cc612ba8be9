import { ApiConnectionError, ApiError, type ResponseHeaders } from "../client/api-errors.ts";
import { decodePacket, encodePacket, JSON_TYPE } from "../client/packet.ts";
import type { OperationResult } from "../contract/journal.ts";
import { LIMITS } from "../contract/limits.ts";
import type { TaskRunError } from "../contract/run-errors.ts";
import { utf8Bytes } from "../contract/text.ts";
import { shortMessage, toTaskRunError } from "../run/run-error.ts";
import { BatchTriggerError } from "../trigger/batch-trigger-error.ts";

/**
 * Recreates the error that a run or a step failed with. Name, message and stack are the original's; its class
 * is not known here. A thrown value that was not an Error is returned as it was.
 */
export function errorOf(error: TaskRunError): unknown {
  switch (error.type) {
    case "BUILT_IN_ERROR":
      return named(error.name, error.message, error.stackTrace);
    case "STRING_ERROR":
      return error.raw;
    case "CUSTOM_ERROR":
      try {
        return JSON.parse(error.raw) as unknown;
      } catch {
        return error.raw;
      }
    case "INTERNAL_ERROR":
      return named(error.code, error.message ?? `Internal error (${error.code})`, error.stackTrace);
  }
}

function named(name: string, message: string, stack: string | undefined): Error {
  const error = new Error(message);
  error.name = name;
  error.stack = stack || `${name}: ${message}`;
  return error;
}

/** What a replay needs to throw the same error as the API call of an operation. */
interface FailedCall {
  $acme: "failed-call";
  message: string;
  batch?: { phase: BatchTriggerError["phase"]; batchId?: string; itemCount: number };
  api?: { status?: number; body?: unknown; headers?: ResponseHeaders; message: string };
}

/** Returns the result of an operation whose API call threw. */
export function failedCall(thrown: unknown): OperationResult {
  const batch = thrown instanceof BatchTriggerError ? thrown : undefined;
  const cause = batch ? batch.cause : thrown;
  if (!(cause instanceof ApiError)) return { ok: false, error: toTaskRunError(cause) };
  const { status, body, headers } = cause;
  const message = shortMessage(cause.message);
  const failed: FailedCall = {
    $acme: "failed-call",
    message: batch ? shortMessage(batch.message) : message,
    batch: batch && { phase: batch.phase, batchId: batch.batchId, itemCount: batch.itemCount },
    api: { status, body, headers, message },
  };
  const raw = JSON.stringify(failed);
  // A body may be of any size (the page of a proxy, say). Without it the same class of error is thrown, with
  // its message.
  const isTooLarge = utf8Bytes(raw) > LIMITS.errorStackBytes;
  const short = { ...failed, api: { status, message } };
  return { ok: false, error: { type: "CUSTOM_ERROR", raw: isTooLarge ? JSON.stringify(short) : raw } };
}

/** Recreates the error that was passed to `failedCall`; undefined if the operation failed in another way. */
export function failureOfCall(error: TaskRunError): Error | undefined {
  const value = error.type === "CUSTOM_ERROR" ? errorOf(error) : undefined;
  if (typeof value !== "object" || value === null || !("$acme" in value)) return undefined;
  const { api, batch, message } = value as FailedCall;
  const cause =
    api?.status === undefined
      ? new ApiConnectionError({ message: api?.message })
      : ApiError.generate(api.status, api.body, api.message, api.headers ?? {});
  if (!batch) return cause;
  return new BatchTriggerError(message, { ...batch, cause, isWholeMessage: true });
}

/** Returns the result of an operation that is complete with this value. */
export const recordedValue = (value: unknown): OperationResult => {
  const { data, dataType } = encodePacket(value);
  return { ok: true, output: data, outputType: dataType };
};

/**
 * Returns the value that was passed to `recordedValue`.
 * @throws the error that was passed to `failedCall`, or that the operation failed with
 */
export function readValue<T>(result: OperationResult): T {
  if (result.ok) return decodePacket(result.output, result.outputType ?? JSON_TYPE) as T;
  throw failureOfCall(result.error) ?? errorOf(result.error);
}
