import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { z } from "zod";

interface Issue {
  path: string;
  message: string;
}

/** An error that the caller can act on, answered as `{ error, code, issues? }` with its status. Nothing was changed. */
export class Failure extends Error {
  readonly status: ContentfulStatusCode;
  readonly code: string;
  readonly headers: Record<string, string>;
  readonly issues: Issue[] | undefined;

  constructor(
    status: ContentfulStatusCode,
    code: string,
    message: string,
    details: { headers?: Record<string, string>; issues?: Issue[] } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = details.headers ?? {};
    this.issues = details.issues;
  }

  get body() {
    return { error: this.message, code: this.code, ...(this.issues ? { issues: this.issues } : {}) };
  }
}

/** Returns zod's issues as one sentence and as a list. */
export function invalid(error: z.ZodError, status: 400 | 422 = 400): Failure {
  const issues = error.issues.map((issue) => ({ path: issue.path.join("."), message: issue.message }));
  const sentence = issues
    .map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
    .join("; ");
  return new Failure(status, "invalid_request", `The request is invalid. ${sentence}`, { issues });
}

export const runNotFound = (runId: string): Failure =>
  new Failure(404, "run_not_found", `Run ${runId} was not found in this environment.`);
