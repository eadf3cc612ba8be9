import { z } from "zod";
import { cutString } from "./cut-string.ts";
import { LIMITS } from "./limits.ts";
import { cutJson } from "./text.ts";

const Message = cutString(LIMITS.errorMessageBytes);
const Stack = cutString(LIMITS.errorStackBytes);

/**
 * Why an attempt failed, as the runtime or the host reports it (the shape of Trigger.dev's `TaskRunError`).
 * Texts over their limit (see `LIMITS`) are cut in the middle.
 */
export const TaskRunError = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("BUILT_IN_ERROR"),
    name: cutString(LIMITS.errorNameBytes),
    message: Message,
    stackTrace: Stack,
  }),
  z.object({ type: z.literal("CUSTOM_ERROR"), raw: z.string().overwrite(cutJson) }),
  z.object({ type: z.literal("STRING_ERROR"), raw: cutString(LIMITS.errorStackBytes) }),
  z.object({
    type: z.literal("INTERNAL_ERROR"),
    code: cutString(LIMITS.errorNameBytes),
    message: Message.optional(),
    stackTrace: Stack.optional(),
  }),
]);
export type TaskRunError = z.infer<typeof TaskRunError>;

/** The codes of INTERNAL_ERROR: whether the run is retried, and its state if it is not. */
export const INTERNAL_ERRORS = {
  COULD_NOT_FIND_TASK: { retry: false, status: "SYSTEM_FAILURE" },
  COULD_NOT_IMPORT_TASK: { retry: false, status: "SYSTEM_FAILURE" },
  CONFIGURED_INCORRECTLY: { retry: false, status: "SYSTEM_FAILURE" },
  TASK_INPUT_ERROR: { retry: false, status: "COMPLETED_WITH_ERRORS" },
  TASK_OUTPUT_ERROR: { retry: false, status: "COMPLETED_WITH_ERRORS" },
  TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE: { retry: true, status: "CRASHED" },
  TASK_PROCESS_SIGSEGV: { retry: true, status: "CRASHED" },
  TASK_PROCESS_SIGTERM: { retry: true, status: "CRASHED" },
  TASK_PROCESS_SIGKILL_TIMEOUT: { retry: false, status: "CRASHED" },
  TASK_PROCESS_OOM_KILLED: { retry: false, status: "CRASHED" },
  TASK_PROCESS_CRASHED: { retry: true, status: "CRASHED" },
  /** The host could not start a container or process for the run. */
  TASK_EXECUTOR_FAILED: { retry: true, status: "SYSTEM_FAILURE" },
  TASK_RUN_CANCELLED: { retry: false, status: "CANCELED" },
  MAX_DURATION_EXCEEDED: { retry: false, status: "TIMED_OUT" },
  /** The run lost its host more often than the limit allows. */
  TASK_RUN_DEQUEUED_MAX_RETRIES: { retry: false, status: "SYSTEM_FAILURE" },
  /** A development run's process or its machine was lost while the run executed. */
  TASK_RUN_STALLED_EXECUTING: { retry: false, status: "CRASHED" },
  /** What a host reported about the run could not be stored. */
  TASK_REPORT_NOT_STORED: { retry: false, status: "SYSTEM_FAILURE" },
  /** The operations of a replay differ from those in its journal. */
  TASK_RUN_NON_DETERMINISTIC: { retry: false, status: "COMPLETED_WITH_ERRORS" },
} as const satisfies Record<
  string,
  {
    retry: boolean;
    status: "SYSTEM_FAILURE" | "COMPLETED_WITH_ERRORS" | "CRASHED" | "CANCELED" | "TIMED_OUT";
  }
>;
export type InternalErrorCode = keyof typeof INTERNAL_ERRORS;

export const internalError = (
  code: InternalErrorCode,
  message: string,
  stackTrace?: string,
): TaskRunError => ({
  type: "INTERNAL_ERROR",
  code,
  message,
  stackTrace,
});

/** `{ name, message, stackTrace }`: how the public API shows an error. */
export interface SerializedError {
  name?: string;
  message: string;
  stackTrace?: string;
}

export function serializeError(error: TaskRunError): SerializedError {
  switch (error.type) {
    case "BUILT_IN_ERROR":
      return { name: error.name, message: error.message, stackTrace: error.stackTrace };
    case "STRING_ERROR":
      return { message: error.raw };
    case "CUSTOM_ERROR":
      return { message: customMessage(error.raw) };
    case "INTERNAL_ERROR":
      return {
        name: error.code,
        message: error.message ?? `Internal error (${error.code})`,
        stackTrace: error.stackTrace,
      };
  }
}

function customMessage(raw: string): string {
  try {
    const value: unknown = JSON.parse(raw);
    if (value && typeof value === "object" && "message" in value && typeof value.message === "string")
      return value.message;
  } catch {
    // The raw text is not JSON, so it is the message.
  }
  return raw;
}
