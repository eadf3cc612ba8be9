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
  return [`${place}${message}`, ...codeFrame(source, line, column), remedy && `  → ${remedy}`]
    .filter(Boolean)
    .join("\n");
}

/** The maximum length of a line; only the part of a longer line around the problem is shown. */
const FRAME_WIDTH = 100;

/** Returns the source line with its number, and a mark under the column. */
function codeFrame(
  source: string | undefined,
  line: number | undefined,
  column: number | undefined,
): string[] {
  if (!source?.trim()) return [];
  const at = Math.min(Math.max((column ?? 1) - 1, 0), source.length);
  const indent = source.length - source.trimStart().length;
  const from = Math.max(Math.min(indent, at), at - FRAME_WIDTH / 2);
  // A tab has one column for esbuild, and more on the terminal.
  const shown = source
    .slice(from, from + FRAME_WIDTH)
    .trimEnd()
    .replaceAll("\t", " ");
  const number = line === undefined ? "" : String(line);
  const frame = `    ${number} │ ${shown}`;
  if (column === undefined) return [frame];
  return [frame, `    ${" ".repeat(number.length)} │ ${" ".repeat(at - from)}^`];
}

export class ProblemsError extends CliError {
  readonly problems: Problem[];
  constructor(headline: string, problems: Problem[]) {
    super([headline, ...problems.map(formatProblem)].join("\n"));
    this.problems = problems;
  }
}
