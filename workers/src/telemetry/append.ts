import { type SpanRecord, spanIdOfAttempt, spanIdOfOperation, TRACED_OPERATIONS } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { openTelemetryStore, type TelemetryBatch } from "./store.ts";

/**
 * A span of an attempt or of one of its operations, which the run's owner knows as well: a run that records nothing else needs no
 * feed of its trace. Another store, which is asked about many runs at once, has them all.
 */
const isKnown = ({ spanId, runId, attempt, attributes }: SpanRecord): boolean => {
  if (runId === null || attempt === null) return false;
  const operation = attributes["acme.operation"];
  return typeof operation === "number"
    ? operation < TRACED_OPERATIONS && spanId === spanIdOfOperation(runId, attempt, operation)
    : spanId === spanIdOfAttempt(runId, attempt);
};

/**
 * Stores a batch once. Log lines of a run always go through the run's feed, which gives them their numbers and sends them to
 * whoever watches the run; another store gets them with those.
 */
export async function appendTelemetry(
  env: Bindings,
  environment: string,
  batch: TelemetryBatch,
): Promise<void> {
  const store = openTelemetryStore(env);
  if (store.kind === "embedded")
    return store.append(environment, { ...batch, spans: batch.spans.filter((span) => !isKnown(span)) });
  const logs = batch.logs.length === 0 ? [] : await new EmbeddedStore(env).appendLogs(batch);
  await store.append(environment, { ...batch, logs });
}
