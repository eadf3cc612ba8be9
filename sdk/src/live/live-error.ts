/** Why a subscription ended or the connection could not be opened, as the HTTP API would have answered. */
export class LiveError extends Error {
  /** HTTP status. */
  readonly status: number;
  /** The API's error code: `run_not_found`, `not_allowed`, `invalid_api_key`, `token_expired`, … */
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LiveError";
    this.status = status;
    this.code = code;
  }
}
