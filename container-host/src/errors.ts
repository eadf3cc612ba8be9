/** A problem that the operator can solve. The message says how, and no stack trace is shown. */
export class HostError extends Error {
  override name = "HostError";
}

/** Saving or restoring a process missed its deadline and was stopped. */
export class HangError extends Error {
  override name = "HangError";
  readonly step: "save" | "restore";

  constructor(step: "save" | "restore", message: string) {
    super(message);
    this.step = step;
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
