import { LIMITS } from "../contract/limits.ts";
import type { InternalErrorCode, TaskRunError } from "../contract/run-errors.ts";
import { cutJson, cutMiddle } from "../contract/text.ts";

const MAX_FRAMES = 50;
const TOP_FRAMES = 5;
const MAX_LINE_BYTES = 1_024;
const MAX_CAUSES = 5;

/** An error's message, at most 8 KB of it. */
export const shortMessage = (message: string): string => cutMiddle(message, LIMITS.errorMessageBytes);

/**
 * The names of the files that call the task's code, as they appear in stack frames; empty outside of the
 * runtime.
 */
const callers: string[] = [];

/**
 * Stacks end at the first frame of this file, which calls the task's function or its hooks: the frames below
 * it are the runtime's own. `names`: the file's URL and its path, because frames have either.
 */
export function hideFramesFrom(names: string[]): void {
  callers.push(...names);
}

/** The frames above those of the runtime; all of them if the error comes from the runtime itself. */
function taskFrames(frames: string[]): string[] {
  const first = frames.findIndex((frame) => callers.some((name) => frame.includes(name)));
  return first > 0 ? frames.slice(0, first) : frames;
}

/**
 * An error's stack: at most 8 KB of the message that it begins with, and at most 50 frames (the first 5 and
 * the last 45) of at most 1 KB each; at most 64 KB in all.
 */
export function shortStack(stack: string | undefined): string {
  if (!stack) return "";
  // The thrown text can have any size, so it is cut once before it is parsed.
  const text = cutMiddle(stack, 4 * LIMITS.errorStackBytes);
  const firstFrame = text.search(/^[ \t]*at /m);
  const head = firstFrame === -1 ? text : text.slice(0, firstFrame);
  const frames = firstFrame === -1 ? [] : taskFrames(text.slice(firstFrame).split("\n"));
  const kept =
    frames.length <= MAX_FRAMES
      ? frames
      : [
          ...frames.slice(0, TOP_FRAMES),
          `    ... ${frames.length - MAX_FRAMES} frames omitted ...`,
          ...frames.slice(TOP_FRAMES - MAX_FRAMES),
        ];
  const lines = kept.map((frame) => cutMiddle(frame, MAX_LINE_BYTES));
  return cutMiddle(shortMessage(head) + lines.join("\n"), LIMITS.errorStackBytes);
}

/**
 * Returns anything thrown as the platform records it, within the limits. Never throws, whatever hostile value
 * was thrown.
 */
export function toTaskRunError(thrown: unknown): TaskRunError {
  try {
    if (thrown instanceof Error) {
      const stackTrace = cutMiddle(shortStack(thrown.stack) + causesOf(thrown), LIMITS.errorStackBytes);
      const internalCode = INTERNAL_CODES.get(thrown.name);
      if (internalCode) return { ...internal(internalCode, messageOf(internalCode, thrown)), stackTrace };
      return {
        type: "BUILT_IN_ERROR",
        name: cutMiddle(String(thrown.name), LIMITS.errorNameBytes),
        message: shortMessage(String(thrown.message)),
        stackTrace,
      };
    }
    if (typeof thrown === "string")
      return { type: "STRING_ERROR", raw: cutMiddle(thrown, LIMITS.errorStackBytes) };
    return { type: "CUSTOM_ERROR", raw: cutJson(JSON.stringify(thrown) ?? String(thrown)) };
  } catch {
    return {
      type: "STRING_ERROR",
      raw: `A value of type ${typeof thrown} was thrown that cannot be serialized`,
    };
  }
}

/** For errors of these names, the code decides what happens to the run. */
const INTERNAL_CODES = new Map<string, InternalErrorCode>([
  ["OutOfMemoryError", "TASK_PROCESS_OOM_KILLED"],
  ["MaxDurationExceededError", "MAX_DURATION_EXCEEDED"],
  ["NonDeterministicError", "TASK_RUN_NON_DETERMINISTIC"],
]);

const messageOf = (code: InternalErrorCode, { message }: Error): string =>
  code === "TASK_PROCESS_OOM_KILLED" ? "The task reported that it ran out of memory" : String(message);

function causesOf(error: Error): string {
  let text = "";
  let cause: unknown = error.cause;
  const seen = new Set<unknown>([error]);
  for (let i = 0; i < MAX_CAUSES && cause !== undefined && cause !== null && !seen.has(cause); i++) {
    seen.add(cause);
    const shown = cause instanceof Error ? shortStack(cause.stack) : shortMessage(String(cause));
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
): Extract<TaskRunError, { type: "INTERNAL_ERROR" }> {
  const fallback = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    type: "INTERNAL_ERROR",
    code,
    message: shortMessage(message ?? fallback),
    stackTrace: error instanceof Error ? shortStack(error.stack) : undefined,
  };
}
