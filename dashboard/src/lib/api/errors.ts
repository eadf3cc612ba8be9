/** An error response of the API. `message` says what to do. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    message: string,
    /** HTTP status; 0: the server could not be reached. */
    readonly status: number,
    readonly code: string,
    readonly issues: readonly { path: string; message: string }[] = [],
    /** To quote when asking for help. */
    readonly requestId?: string,
  ) {
    super(message);
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
