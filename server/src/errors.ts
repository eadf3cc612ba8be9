/** A problem that the user can solve. The message says how, and no stack trace is shown. */
export class ServerError extends Error {
  override name = "ServerError";
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
