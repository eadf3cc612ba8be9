/** An error that the user can correct. The message says how, and is printed without a stack trace. */
export class CliError extends Error {
  override name = "CliError";
}

/** A problem in the user's code, and its position if that is known. */
export interface Problem {
  /** Relative to the project's folder. */
  file?: string;
  /** From 1. */
  line?: number;
  /** From 1. */
  column?: number;
  message: string;
  /** The source line. */
  source?: string;
  remedy?: string;
}

export function formatProblem({ file, line, column, message, source, remedy }: Problem): string {
  const place = file
    ? `${[file, line, line && column].filter((part) => part !== undefined).join(":")}: `
    : "";
  return [`${place}${message}`, source?.trim() && `    ${source.trim()}`, remedy && `  → ${remedy}`]
    .filter(Boolean)
    .join("\n");
}

export class ProblemsError extends CliError {
  readonly problems: Problem[];
  constructor(headline: string, problems: Problem[]) {
    super([headline, ...problems.map(formatProblem)].join("\n"));
    this.problems = problems;
  }
}
