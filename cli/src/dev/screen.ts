import { stripVTControlCharacters } from "node:util";
import type { AttemptEnd } from "@acme/container-host";
import type { DequeuedRun, LogEntry, TaskRunError } from "@acme/sdk/contract";
import { duration } from "../terminal/format.ts";
import { style } from "../terminal/style.ts";
import { shortened } from "../terminal/table.ts";

/** What is shown of a run. */
type ShownRun = Pick<DequeuedRun, "runId" | "taskId" | "attempt" | "resume"> & {
  deployment: Pick<DequeuedRun["deployment"], "version">;
};

/** The output of `acme dev`. */
export type DevEvent =
  | { type: "connected"; project: string; environment: string; apiUrl: string }
  | { type: "version"; version: string; tasks: string[]; files: string[]; isFirst: boolean; ms: number }
  | { type: "problem"; message: string }
  | { type: "output"; text: string }
  | { type: "connection"; isOpen: boolean; apiUrl: string }
  | { type: "notice"; message: string }
  /** A problem in the code is gone, and the code is that of the last version. */
  | { type: "solved"; version: string }
  /** Where debuggers find the processes of tasks. */
  | { type: "inspector"; address: string }
  | { type: "run"; state: "started"; run: ShownRun; url: string }
  | { type: "run"; state: "suspended"; run: ShownRun; url: string }
  | { type: "run"; state: "ended"; run: ShownRun; url: string; end: AttemptEnd; ms: number }
  | { type: "log"; run: ShownRun; entries: LogEntry[] };

export interface Screen {
  show(event: DevEvent): void;
}

const clock = (): string => style("dim", new Date().toTimeString().slice(0, 8));

/** Writes one line of JSON per event. */
export const jsonScreen = (write: (line: string) => void): Screen => ({
  show(event) {
    if (event.type === "run" || event.type === "log") {
      const { run, ...rest } = event;
      const { runId, taskId, attempt, deployment } = run;
      write(JSON.stringify({ ...rest, runId, taskId, attempt, version: deployment.version }));
    } else write(JSON.stringify(event));
  },
});

/**
 * Writes lines for people. `logs` is called for each log line of a task, to decide whether it is shown. `width`: columns of the
 * terminal; 0: nothing is cut.
 */
export const textScreen = (
  write: (line: string) => void,
  logs: () => boolean,
  width: () => number,
): Screen => ({
  show(event) {
    switch (event.type) {
      case "connected":
        write(
          `${style("bold", "acme dev")}  ${event.project}  ${style("magenta", event.environment)}  ${style("dim", event.apiUrl)}`,
        );
        write("");
        return;
      case "version": {
        const { isFirst, ms, tasks, version } = event;
        const what = `${tasks.length} ${tasks.length === 1 ? "task" : "tasks"}`;
        write(`${clock()} ${style("green", "●")} ${version}  ${what} ${style("dim", duration(ms))}`);
        if (isFirst) for (const task of tasks) write(style("dim", `            ${task}`));
        return;
      }
      case "problem":
        write(`${clock()} ${style("red", "✗")} ${indented(event.message)}`);
        write(style("dim", "            The last version that worked stays in use. Waiting for changes…"));
        return;
      case "output":
        write(style("dim", indented(stripVTControlCharacters(event.text.trimEnd()), true)));
        return;
      case "connection":
        write(
          event.isOpen
            ? `${clock()} ${style("green", "●")} Connected to the server`
            : `${clock()} ${style("yellow", "○")} No connection to ${event.apiUrl}; trying again…`,
        );
        return;
      case "solved":
        write(`${clock()} ${style("green", "●")} Solved: version ${event.version} is in use`);
        return;
      case "notice":
        write(`${clock()} ${style("yellow", "!")} ${event.message}`);
        return;
      case "inspector":
        write(
          `${clock()} ${style("cyan", "◉")} Debuggers: ${event.address}  ${style("dim", "(chrome://inspect → Configure; or attach by port)")}`,
        );
        return;
      case "log":
        if (logs()) for (const entry of event.entries) write(logLine(event.run, entry, width()));
        return;
      case "run":
        for (const line of runLines(event, width())) write(line);
        if (event.state === "ended" && event.end.type === "failure") write(errorText(event.end.error));
    }
  },
});

/** Columns of the time and the mark before each line's text. */
const MARGIN = 11;
const NAME_WIDTH = 24;

/** The name of a task in a line whose other parts have `others` columns. */
function nameOf(taskId: string, others: number, width: number): string {
  const room = width > 0 ? Math.max(NAME_WIDTH / 2, width - MARGIN - others) : Number.POSITIVE_INFINITY;
  return shortened(taskId, room).padEnd(Math.min(NAME_WIDTH, room));
}

function runLines(event: Extract<DevEvent, { type: "run" }>, width: number): string[] {
  const { run, url } = event;
  const attempt = run.attempt > 1 ? ` attempt ${run.attempt}` : "";
  if (event.state !== "ended") {
    const [mark, format] = event.state === "suspended" ? MARKS.suspended : STARTED[run.resume ? 1 : 0];
    const rest = ` ${run.runId}${event.state === "suspended" ? " waits" : attempt}`;
    return [
      `${clock()} ${style(format, mark)} ${nameOf(run.taskId, rest.length, width)}${style("dim", rest)}`,
    ];
  }
  const [mark, format, word] = MARKS[event.end.type];
  const retry = event.end.type === "failure" && event.end.retry;
  const next = retry ? `, retried in ${duration(retry.delayMs)}` : "";
  const took = event.ms > 0 ? ` ${duration(event.ms)}` : "";
  const others = `${attempt} ${word}${took}${next}`.length;
  const name = nameOf(run.taskId, others, width);
  const text = `${clock()} ${style(format, mark)} ${name}${style("dim", attempt)} ${style(format, word)}${took}${style("yellow", next)}`;
  // The address ends with the run's id.
  const isLong = width > 0 && MARGIN + name.length + others + 2 + url.length > width;
  return isLong ? [text, style("dim", `${" ".repeat(MARGIN)}${url}`)] : [`${text}  ${style("dim", url)}`];
}

/** The signs of an attempt that starts, and of one that resumes. */
const STARTED = [
  ["▶", "cyan"],
  ["↻", "cyan"],
] as const;

const MARKS = {
  success: ["✓", "green", "completed"],
  failure: ["✗", "red", "failed"],
  canceled: ["■", "gray", "canceled"],
  released: ["↩", "yellow", "returned"],
  suspended: ["⏸", "magenta", "waits"],
  lost: ["✗", "red", "lost"],
} as const;

const LEVELS: Record<LogEntry["level"], Parameters<typeof style>[0]> = {
  trace: "gray",
  debug: "gray",
  log: "cyan",
  info: "cyan",
  warn: "yellow",
  error: "red",
};

function logLine(run: ShownRun, { level, message, properties }: LogEntry, width: number): string {
  const more =
    properties && Object.keys(properties).length > 0 ? ` ${style("dim", JSON.stringify(properties))}` : "";
  const text = indented(stripVTControlCharacters(message));
  return `${" ".repeat(9)}${style("dim", "│")} ${style("dim", width > 0 ? shortened(run.taskId, NAME_WIDTH) : run.taskId)} ${style(LEVELS[level], level)} ${text}${more}`;
}

/** Returns the message followed by the frames of the project, without those of Node.js and packages. */
export function errorText(error: TaskRunError): string {
  const { message, stackTrace } = textsOf(error);
  const frames = stackTrace.split("\n").filter((line) => /^\s+at /.test(line));
  const own = frames.filter((line) => !/node:|node_modules\/|\/runtime\//.test(line));
  const shown = (own.length > 0 ? own : frames).slice(0, 8).map((line) => style("dim", `    ${line.trim()}`));
  return [
    style("red", indented(message, true)),
    ...shown.map((line) => `            ${line.trimStart()}`),
  ].join("\n");
}

function textsOf(error: TaskRunError): { message: string; stackTrace: string } {
  switch (error.type) {
    case "BUILT_IN_ERROR":
      return { message: `${error.name}: ${error.message}`, stackTrace: error.stackTrace };
    case "INTERNAL_ERROR":
      return {
        message: `${error.code}: ${error.message ?? "The platform ended the run"}`,
        stackTrace: error.stackTrace ?? "",
      };
    case "STRING_ERROR":
      return { message: error.raw, stackTrace: "" };
    case "CUSTOM_ERROR":
      return { message: error.raw, stackTrace: "" };
  }
}

/** Indents the lines after the first to its text; with `first`, the first one too. */
function indented(text: string, first = false): string {
  const lines = text.split("\n");
  return lines.map((line, index) => (index === 0 && !first ? line : `            ${line}`)).join("\n");
}
