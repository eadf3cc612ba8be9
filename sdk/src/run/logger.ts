import { trace as otel, type Span, type SpanOptions, SpanStatusCode } from "@opentelemetry/api";
import type { LogEntry } from "../contract/log-entry.ts";
import { currentRun, state } from "./state.ts";

/** The lowest level that is logged: `logLevel` of the configuration file. */
export type LogLevel = "none" | "error" | "warn" | "info" | "log" | "debug";
export type LogProperties = Record<string, unknown>;

const RANK: Record<LogLevel, number> = { none: 0, error: 1, warn: 2, log: 3, info: 3, debug: 4 };

const log =
  (level: Exclude<LogEntry["level"], "trace">) =>
  /** Logs nothing outside of a task. */
  (message: string, properties?: LogProperties): void => {
    if (RANK[level] <= RANK[state.config.logLevel ?? "debug"]) currentRun()?.log(level, message, properties);
  };

/**
 * Calls `fn` in a span. Its duration, and the error if it throws, become an entry of the run's log, and an
 * OpenTelemetry span if the project has registered a tracer provider.
 */
async function trace<T>(
  name: string,
  fn: (span: Span) => Promise<T>,
  options?: SpanOptions & { icon?: string },
): Promise<T> {
  const run = currentRun();
  const startedAt = performance.now();
  const finish = (error?: unknown) => {
    run?.log("trace", name, {
      durationMs: Math.round((performance.now() - startedAt) * 1_000) / 1_000,
      ...options?.attributes,
      ...(error === undefined ? {} : { error }),
    });
  };
  return otel.getTracer("@acme/sdk").startActiveSpan(name, options ?? {}, async (span) => {
    try {
      const result = await fn(span);
      finish();
      return result;
    } catch (error) {
      span.recordException(error instanceof Error ? error : String(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
      finish(error ?? "undefined was thrown");
      throw error;
    } finally {
      span.end();
    }
  });
}

/** Writes to the log of the run that calls it. */
export const logger = {
  debug: log("debug"),
  log: log("log"),
  info: log("info"),
  warn: log("warn"),
  error: log("error"),
  trace,
};
