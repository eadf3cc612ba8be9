import { format } from "node:util";
import type { LogEntry } from "../contract/log-entry.ts";
import { currentRun, state } from "../run/state.ts";

const LEVELS = {
  debug: "debug",
  log: "log",
  info: "info",
  warn: "warn",
  error: "error",
  trace: "trace",
} as const satisfies Record<string, LogEntry["level"]>;

/**
 * Makes everything that a task writes to the console a log entry of its run. A line that is a JSON object, as
 * structured loggers write, becomes message and properties. Called once per process; the async context
 * identifies the run.
 */
export function captureConsole(): void {
  for (const [method, level] of Object.entries(LEVELS) as [keyof typeof LEVELS, LogEntry["level"]][]) {
    const original = console[method].bind(console);
    console[method] = (...args: unknown[]) => {
      const run = currentRun();
      // The line was written before the run was suspended.
      if (run?.replaying) return;
      if (!run || state.config.consoleOutput !== false) original(...args);
      if (!run) return;
      const text = args.length === 1 && typeof args[0] === "string" ? args[0] : format(...args);
      const object = text[0] === "{" ? parseObject(text) : undefined;
      if (object) run.log(level, messageOf(object) ?? text, object);
      else run.log(level, text);
    };
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function messageOf(object: Record<string, unknown>): string | undefined {
  for (const key of ["message", "msg", "body", "error"]) {
    const value = object[key];
    if (typeof value === "string") return value;
  }
  return undefined;
}
