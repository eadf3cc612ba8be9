/**
 * Which trace a run belongs to, and which span ids its parts have. Ids of runs, attempts and durable operations follow from the
 * run's id, so that whoever records one of them, and however often, names the same span.
 */
// The runtime imports this module at its start: it must not import zod.

/** Where a span's parent is, as the header `traceparent` of the W3C says it. */
export interface TraceContext {
  traceId: string;
  spanId: string;
}

/** Operations of a run whose spans its owner tells of: the first ones. */
export const TRACED_OPERATIONS = 2_000;

export const TRACEPARENT_HEADER = "traceparent";

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/;
const NO_TRACE = "0".repeat(32);
const NO_SPAN = "0".repeat(16);

/** Null: the header is absent or says nothing that can be followed. */
export function parseTraceparent(header: string | null | undefined): TraceContext | null {
  const [, traceId, spanId] = TRACEPARENT.exec(header ?? "") ?? [];
  if (!traceId || !spanId || header?.startsWith("ff")) return null;
  return traceId === NO_TRACE || spanId === NO_SPAN ? null : { traceId, spanId };
}

export const traceparentOf = ({ traceId, spanId }: TraceContext): string => `00-${traceId}-${spanId}-01`;

/** The trace of a run: that of whoever triggered it, or one of its own. */
export const traceIdOfRun = (runId: string, traceparent: string | null | undefined): string =>
  parseTraceparent(traceparent)?.traceId ?? hashHex(`trace ${runId}`, 4);

export const spanIdOfRun = (runId: string): string => hashHex(`run ${runId}`, 2);

export const spanIdOfAttempt = (runId: string, attempt: number): string =>
  hashHex(`attempt ${runId} ${attempt}`, 2);

export const spanIdOfOperation = (runId: string, attempt: number, operation: number): string =>
  hashHex(`operation ${runId} ${attempt} ${operation}`, 2);

/** The span that the `ordinal`th call with this name and parent opens: a replay of the code opens the same. */
export const spanIdOfCall = (runId: string, parentSpanId: string, name: string, ordinal: number): string =>
  hashHex(`call ${runId} ${parentSpanId} ${ordinal} ${name}`, 2);

/** The context that what a run triggers has without a more exact one. */
export const contextOfRun = (runId: string, traceparent: string | null | undefined): TraceContext => ({
  traceId: traceIdOfRun(runId, traceparent),
  spanId: spanIdOfRun(runId),
});

const OPERATION_TYPES = {
  wait: "wait",
  token: "token",
  run: "child",
  trigger: "child",
  batch: "batch",
  "batch-trigger": "batch",
  step: "step",
} as const;

type OperationKind = keyof typeof OPERATION_TYPES;

/** The kind of an operation's span, as OpenTelemetry means it. */
export const operationSpanKind = (kind: OperationKind): "internal" | "producer" =>
  kind === "step" || kind === "wait" ? "internal" : "producer";

/** The attributes of an operation's span. */
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
 * `words` times 8 hexadecimal digits that follow from the text, the same in every runtime and without waiting (cyrb128). They
 * name spans, and protect nothing.
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
