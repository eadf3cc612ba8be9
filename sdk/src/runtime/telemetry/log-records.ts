import { TraceFlags } from "@opentelemetry/api";
import type { LogEntry } from "../../contract/log-entry.ts";
import { serializeProperties } from "../log-buffer.ts";
import { type ExportedResource, hrTime, ofRun, SCOPE } from "./otel-forms.ts";

/** A line of a run's log, and the span in which it was written. */
export interface WrittenLine {
  time: number;
  level: LogEntry["level"];
  message: string;
  properties: object | undefined;
  span: { traceId: string; spanId: string };
  runId: string;
  attempt: number;
}

export type LogListener = (line: WrittenLine) => void;

/** OpenTelemetry's severity numbers. */
const SEVERITIES = { trace: 1, debug: 5, log: 9, info: 9, warn: 13, error: 17 } as const;

/** A line in the form of OpenTelemetry's SDK (`ReadableLogRecord`), which exporters take. */
export function readableLogRecord(line: WrittenLine, resource: ExportedResource) {
  const { time, level, message, properties, span } = line;
  // The task may change its objects later, and they may hold what is no JSON.
  const attributes = properties
    ? (JSON.parse(serializeProperties(properties)) as Record<string, unknown>)
    : undefined;
  return {
    hrTime: hrTime(time),
    hrTimeObserved: hrTime(time),
    spanContext: { ...span, traceFlags: TraceFlags.SAMPLED },
    severityNumber: SEVERITIES[level],
    severityText: level.toUpperCase(),
    body: message,
    attributes: { ...attributes, ...ofRun(line) },
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
  };
}
