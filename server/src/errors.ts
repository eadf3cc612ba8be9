/** Something the user can put right: the message says what to do, and no stack trace is shown. */
export class ServerError extends Error {
  override name = "ServerError";
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
