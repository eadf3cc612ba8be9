import type { InternalErrorCode, TaskRunError } from "../contract/run-errors.ts";

const MAX_FRAMES = 50;
const TOP_FRAMES = 5;
const MAX_LINE = 1_024;
const MAX_MESSAGE = 1_000;
const MAX_RAW = 64 * 1_024;
const MAX_CAUSES = 5;

export const truncateMessage = (message: string, max = MAX_MESSAGE): string =>
  message.length > max ? `${message.slice(0, max)}...[truncated]` : message;

/** At most 50 frames (the first 5 and the last 45), each line at most 1,024 characters. */
export function truncateStack(stack: string | undefined): string {
  if (!stack) return "";
  const head: string[] = [];
  const frames: string[] = [];
  for (const line of stack.split("\n")) {
    const short = line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}...[truncated]` : line;
    if (frames.length === 0 && !line.trimStart().startsWith("at ")) head.push(short);
    else frames.push(short);
  }
  if (frames.length <= MAX_FRAMES) return [...head, ...frames].join("\n");
  const omitted = `    ... ${frames.length - MAX_FRAMES} frames omitted ...`;
  return [...head, ...frames.slice(0, TOP_FRAMES), omitted, ...frames.slice(TOP_FRAMES - MAX_FRAMES)].join(
    "\n",
  );
}

/** Anything thrown, as the platform records it. Never throws itself, whatever hostile value was thrown. */
export function toTaskRunError(thrown: unknown): TaskRunError {
  try {
    if (thrown instanceof Error) {
      if (thrown.name === "OutOfMemoryError") {
        return internal("TASK_PROCESS_OOM_KILLED", "The task reported that it ran out of memory", thrown);
      }
      if (thrown.name === "MaxDurationExceededError")
        return internal("MAX_DURATION_EXCEEDED", thrown.message, thrown);
      if (thrown.name === "NonDeterministicError")
        return internal("TASK_RUN_NON_DETERMINISTIC", thrown.message, thrown);
      return {
        type: "BUILT_IN_ERROR",
        name: String(thrown.name).slice(0, 256),
        message: truncateMessage(String(thrown.message)),
        stackTrace: truncateStack(thrown.stack) + causesOf(thrown),
      };
    }
    if (typeof thrown === "string") return { type: "STRING_ERROR", raw: truncateMessage(thrown, MAX_RAW) };
    const raw = JSON.stringify(thrown) ?? String(thrown);
    // Cut JSON is no JSON: what is too long is shown as text.
    return {
      type: "CUSTOM_ERROR",
      raw: raw.length > MAX_RAW ? JSON.stringify(truncateMessage(raw, MAX_RAW)) : raw,
    };
  } catch {
    return {
      type: "STRING_ERROR",
      raw: `A value of type ${typeof thrown} was thrown that cannot be serialized`,
    };
  }
}

function causesOf(error: Error): string {
  let text = "";
  let cause: unknown = error.cause;
  const seen = new Set<unknown>([error]);
  for (let i = 0; i < MAX_CAUSES && cause !== undefined && cause !== null && !seen.has(cause); i++) {
    seen.add(cause);
    const shown = cause instanceof Error ? truncateStack(cause.stack) : truncateMessage(String(cause));
    text += `\nCaused by: ${shown}`;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return text;
}

/** `message` defaults to `Name: message` of the error. */
export function internal(
  code: InternalErrorCode,
  message: string | undefined,
  error?: unknown,
): TaskRunError {
  const fallback = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    type: "INTERNAL_ERROR",
    code,
    message: truncateMessage(message ?? fallback),
    stackTrace: error instanceof Error ? truncateStack(error.stack) : undefined,
  };
}
