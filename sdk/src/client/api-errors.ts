export type ResponseHeaders = Record<string, string>;

/** The API answered with a status that is not 2xx. There is a subclass for each common status. */
export class ApiError extends Error {
  readonly status: number | undefined;
  /** Header names are in lower case. */
  readonly headers: ResponseHeaders | undefined;
  /** The `error` field of the body. */
  readonly error: unknown;
  /** The whole parsed body. */
  readonly body: unknown;
  readonly code: string | undefined;
  readonly param: string | undefined;
  readonly type: string | undefined;

  constructor(
    status: number | undefined,
    error: unknown,
    message: string | undefined,
    headers: ResponseHeaders | undefined,
    body?: unknown,
  ) {
    super(messageOf(status, error, message));
    this.name = "TriggerApiError";
    this.status = status;
    this.headers = headers;
    this.error = error;
    this.body = body;
    const fields = (typeof error === "object" && error !== null ? error : body) as
      | Record<string, string | undefined>
      | undefined;
    this.code = fields?.code;
    this.param = fields?.param;
    this.type = fields?.type;
  }

  /**
   * Returns an error of the class for `status`. `body` is the parsed body; `text` is the body if it was not
   * JSON.
   */
  static generate(
    status: number,
    body: unknown,
    text: string | undefined,
    headers: ResponseHeaders,
  ): ApiError {
    const error = typeof body === "object" && body !== null ? (body as { error?: unknown }).error : undefined;
    const Class = BY_STATUS[status] ?? (status >= 500 ? InternalServerError : ApiError);
    return new Class(status, error, text, headers, body);
  }
}

function messageOf(status: number | undefined, error: unknown, message: string | undefined): string {
  const own = typeof error === "object" && error !== null && "message" in error ? error.message : undefined;
  const text = own ?? error;
  if (text) return typeof text === "string" ? text : JSON.stringify(text);
  if (status && message) return `${status} ${message}`;
  if (status) return `${status} status code (no body)`;
  return message || "(no status code or body)";
}

/** The API could not be reached. `cause` is what `fetch` threw. */
export class ApiConnectionError extends ApiError {
  constructor(options: { message?: string; cause?: unknown }) {
    super(undefined, undefined, options.message ?? "Connection error.", undefined);
    this.cause = options.cause;
  }
}
/** The API did not answer within the time limit of one attempt. */
export class ApiConnectionTimeoutError extends ApiConnectionError {}
/** 400 */
export class BadRequestError extends ApiError {}
/** 401 */
export class AuthenticationError extends ApiError {}
/** 403 */
export class PermissionDeniedError extends ApiError {}
/** 404 */
export class NotFoundError extends ApiError {}
/** 409 */
export class ConflictError extends ApiError {}
/** 422 */
export class UnprocessableEntityError extends ApiError {}
/** 429 */
export class RateLimitError extends ApiError {
  /**
   * Milliseconds until the limit is refilled, plus up to 2 s of jitter; undefined if the server does not say.
   */
  get millisecondsUntilReset(): number | undefined {
    const wait = millisecondsUntilReset(this.headers ?? {}, Date.now());
    return wait === undefined ? undefined : wait + Math.floor(Math.random() * 2_000);
  }
}
/** 500 and above */
export class InternalServerError extends ApiError {}

const BY_STATUS: Record<number, typeof ApiError> = {
  400: BadRequestError,
  401: AuthenticationError,
  403: PermissionDeniedError,
  404: NotFoundError,
  409: ConflictError,
  422: UnprocessableEntityError,
  429: RateLimitError,
};

/**
 * Reads `x-ratelimit-reset` (milliseconds since the epoch), or else `retry-after` (seconds or a date). Never
 * negative.
 */
export function millisecondsUntilReset(headers: ResponseHeaders, now: number): number | undefined {
  const reset = Number(headers["x-ratelimit-reset"] || Number.NaN);
  if (Number.isFinite(reset)) return Math.max(0, reset - now);
  const after = headers["retry-after"];
  if (!after) return undefined;
  const seconds = Number(after);
  const wait = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(after) - now;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}
