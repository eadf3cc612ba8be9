import { ApiError, RateLimitError } from "../client/api-errors.ts";

/** A batch could not be created, or its items could not be sent. */
export class BatchTriggerError extends Error {
  readonly phase: "create" | "stream";
  /** Absent if the batch was not created. */
  readonly batchId?: string;
  readonly itemCount: number;
  readonly isRateLimited: boolean;
  /** Milliseconds until the rate limit is refilled, if a rate limit is the cause and the server says when. */
  readonly retryAfterMs?: number;
  readonly apiError?: ApiError;

  constructor(
    message: string,
    options: {
      cause?: unknown;
      phase: "create" | "stream";
      batchId?: string;
      itemCount: number;
      /** True if `message` includes the message of the cause already. */
      isWholeMessage?: boolean;
    },
  ) {
    const { cause, isWholeMessage } = options;
    super(cause instanceof Error && !isWholeMessage ? `${message}: ${cause.message}` : message, { cause });
    this.name = "BatchTriggerError";
    this.phase = options.phase;
    this.batchId = options.batchId;
    this.itemCount = options.itemCount;
    this.apiError = cause instanceof ApiError ? cause : undefined;
    this.isRateLimited = this.apiError?.status === 429;
    this.retryAfterMs = cause instanceof RateLimitError ? cause.millisecondsUntilReset : undefined;
  }
}
