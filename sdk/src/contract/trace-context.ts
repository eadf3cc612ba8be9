/**
 * Determines which trace a run belongs to, and the span ids of its parts. The span ids of runs, attempts and
 * durable operations are derived from the run's id, so every component that records one of them names the
 * same span, however often.
 */
// The runtime imports this module at its start, so it imports only types: a schema would load zod.
import type { OperationKind } from "./journal.ts";

/** A span's parent, as in the W3C header `traceparent`. */
export interface TraceContext {
  traceId: string;
  spanId: string;
}

/** The number of a run's operations, from the first, whose spans its owner reports. */
export const TRACED_OPERATIONS = 2_000;

export const TRACEPARENT_HEADER = "traceparent";

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);

/**
 * Returns null if the header is absent or invalid. Of several values, the last one counts: Deno's `fetch` adds its own span's to
 * the one that the SDK sends, and is called within that.
 */
export function parseTraceparent(header: string | null | undefined): TraceContext | null {
  const value = header?.split(",").at(-1)?.trim() ?? "";
  const [, traceId, spanId] = TRACEPARENT.exec(value) ?? [];
  if (!traceId || !spanId || value.startsWith("ff")) return null;
  return traceId === NO_TRACE || spanId === NO_SPAN ? null : { traceId, spanId };
}

export const traceparentOf = ({ traceId, spanId }: TraceContext): string => `00-${traceId}-${spanId}-01`;

/** Returns the trace of a run: the trace it was triggered from, or one of its own. */
export const traceIdOfRun = (runId: string, traceparent: string | null | undefined): string =>
  parseTraceparent(traceparent)?.traceId ?? hashHex(`trace ${runId}`, 4);

export const spanIdOfRun = (runId: string): string => hashHex(`run ${runId}`, 2);

export const spanIdOfAttempt = (runId: string, attempt: number): string =>
  hashHex(`attempt ${runId} ${attempt}`, 2);

export const spanIdOfOperation = (runId: string, attempt: number, operation: number): string =>
  hashHex(`operation ${runId} ${attempt} ${operation}`, 2);

/**
 * Returns the id of the span that the `ordinal`th call with this name and parent opens. A replay opens the
 * same span.
 */
export const spanIdOfCall = (runId: string, parentSpanId: string, name: string, ordinal: number): string =>
  hashHex(`call ${runId} ${parentSpanId} ${ordinal} ${name}`, 2);

/** Returns the context of what a run triggers, if there is no more specific one. */
export const contextOfRun = (runId: string, traceparent: string | null | undefined): TraceContext => ({
  traceId: traceIdOfRun(runId, traceparent),
  spanId: spanIdOfRun(runId),
});

/** What a trace calls each kind of operation. */
const OPERATION_TYPES = {
  wait: "wait",
  token: "token",
  run: "child",
  trigger: "child",
  batch: "batch",
  "batch-trigger": "batch",
  step: "step",
} as const satisfies Record<OperationKind, string>;

/** Returns the OpenTelemetry kind of an operation's span. */
export const operationSpanKind = (kind: OperationKind): "internal" | "producer" =>
  kind === "step" || kind === "wait" ? "internal" : "producer";

/** Returns the attributes of an operation's span. */
export const operationAttributes = ({
  number,
  kind,
  location,
  target,
  until,
}: {
  number: number;
  kind: OperationKind;
  location?: string | null;
  target?: string | null;
  until?: number | null;
}): Record<string, string | number> => ({
  "acme.kind": OPERATION_TYPES[kind],
  "acme.operation": number,
  "acme.operation.kind": kind,
  ...(location ? { "code.location": location } : {}),
  ...(target ? { "acme.target": target } : {}),
  ...(until ? { "acme.until": until } : {}),
});

/**
 * Returns `words` times 8 hexadecimal digits derived from the text (cyrb128): the same in every runtime, and
 * synchronously. The hash names spans; it is not for security.
 */
function hashHex(text: string, words: 2 | 4): string {
  let a = 1779033703;
  let b = 3144134277;
  let c = 1013904242;
  let d = 2773480762;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = b ^ Math.imul(a ^ code, 597399067);
    b = c ^ Math.imul(b ^ code, 2869860233);
    c = d ^ Math.imul(c ^ code, 951274213);
    d = a ^ Math.imul(d ^ code, 2716044179);
  }
  a = Math.imul(c ^ (a >>> 18), 597399067);
  b = Math.imul(d ^ (b >>> 22), 2869860233);
  c = Math.imul(a ^ (c >>> 17), 951274213);
  d = Math.imul(b ^ (d >>> 19), 2716044179);
  a ^= b ^ c ^ d;
  const parts = [a, b ^ a, c ^ a, d ^ a].slice(0, words);
  const hex = parts.map((part) => (part >>> 0).toString(16).padStart(8, "0")).join("");
  return hex === "0".repeat(words * 8) ? `${hex.slice(1)}1` : hex;
}
