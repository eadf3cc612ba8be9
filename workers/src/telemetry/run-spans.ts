import type { OperationTrace, RunTrace } from "@acme/durable-objects/rpc";
import {
  cutName,
  isFinal,
  operationAttributes,
  operationSpanKind,
  parseTraceparent,
  publicStatus,
  type SpanRecord,
  spanIdOfAttempt,
  spanIdOfOperation,
  spanIdOfRun,
  traceIdOfRun,
} from "@acme/sdk/contract";

/**
 * Derives the spans of the run, its attempts and its durable operations from what the run's owner has
 * recorded. They exist even without telemetry, such as for a run that waits in its queue, or whose host was
 * lost.
 */
export function spansOfRun(run: RunTrace): SpanRecord[] {
  const traceId = traceIdOfRun(run.id, run.traceparent);
  const parentSpanId = parseTraceparent(run.traceparent)?.spanId ?? null;
  const runSpanId = spanIdOfRun(run.id);
  const base = { traceId, runId: run.id, service: null, kind: "internal" as const, events: [], links: [] };
  const failed = FAILED.has(publicStatus(run.status));
  const spans: SpanRecord[] = [
    {
      ...base,
      spanId: runSpanId,
      parentSpanId,
      attempt: null,
      kind: "consumer",
      name: run.task,
      startTime: run.createdAt,
      endTime: run.completedAt,
      status: failed ? "error" : "unset",
      ...(failed && run.errorMessage ? { message: run.errorMessage } : {}),
      attributes: {
        "acme.kind": "run",
        "acme.task": run.task,
        "acme.status": publicStatus(run.status),
        "acme.queue": run.queue,
        "acme.machine": run.machine,
        ...(run.version === null ? {} : { "acme.version": run.version }),
        ...(run.startedAt === null ? {} : { "acme.started_at": run.startedAt }),
        ...(run.isTest ? { "acme.test": true } : {}),
      },
      events: run.events.map(({ time, type, message }) => ({
        time,
        name: type,
        attributes: { "acme.message": message },
      })),
    },
  ];
  for (const attempt of run.attempts) {
    if (attempt.startedAt === null) continue;
    const isError = attempt.status === "FAILED" || attempt.status === "LOST";
    spans.push({
      ...base,
      spanId: spanIdOfAttempt(run.id, attempt.number),
      parentSpanId: runSpanId,
      attempt: attempt.number,
      name: `Attempt ${attempt.number}`,
      startTime: attempt.startedAt,
      endTime: attempt.completedAt ?? (isFinal(run.status) ? run.completedAt : null),
      status: isError ? "error" : "unset",
      ...(isError ? { message: attempt.error ?? LOST } : {}),
      attributes: {
        "acme.kind": "attempt",
        "acme.status": attempt.status,
        ...(attempt.hostId === null ? {} : { "acme.host": attempt.hostId }),
      },
    });
  }
  for (const operation of run.operations) spans.push(spanOfOperation(run, operation, base));
  return spans;
}

const LOST = "The host running this attempt was lost; it was started again elsewhere.";
const FAILED = new Set<string>(["FAILED", "CRASHED", "SYSTEM_FAILURE", "TIMED_OUT", "EXPIRED"]);

function spanOfOperation(
  run: RunTrace,
  operation: OperationTrace,
  base: Pick<SpanRecord, "traceId" | "runId" | "service" | "kind" | "events" | "links">,
): SpanRecord {
  const { attempt, number, kind, name } = operation;
  return {
    ...base,
    spanId: spanIdOfOperation(run.id, attempt, number),
    parentSpanId: spanIdOfAttempt(run.id, attempt),
    attempt,
    kind: operationSpanKind(kind),
    name: cutName(name),
    startTime: operation.startedAt,
    endTime: operation.completedAt ?? (isFinal(run.status) ? run.completedAt : null),
    status: operation.failed ? "error" : "unset",
    ...(operation.failed && operation.error ? { message: operation.error } : {}),
    attributes: operationAttributes(operation),
  };
}
