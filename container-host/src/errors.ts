/** Something the operator can put right: the message says what to do, and no stack trace is shown. */
export class HostError extends Error {
  override name = "HostError";
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
