import { log } from "@acme/durable-objects/lib/log";
import { type SpanRecord, spanIdOfAttempt, spanIdOfOperation, TRACED_OPERATIONS } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { inTime } from "../hosts/in-time.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { openTelemetryStore, type ReceivedBatch, type TelemetryBatch } from "./store.ts";

/**
 * A span of an attempt or of one of its operations, which the run's owner knows as well, so a run that
 * records nothing else needs no feed of its trace. A store for queries over many runs keeps all of them.
 */
const isKnown = ({ spanId, runId, attempt, attributes }: SpanRecord): boolean => {
  if (runId === null || attempt === null) return false;
  const operation = attributes["acme.operation"];
  return typeof operation === "number"
    ? operation < TRACED_OPERATIONS && spanId === spanIdOfOperation(runId, attempt, operation)
    : spanId === spanIdOfAttempt(runId, attempt);
};

/**
 * Stores a batch once. Log lines of a run always go through the run's feed, which numbers them and sends them
 * to the run's watchers; another store gets the numbered lines.
 */
export async function appendTelemetry(
  env: Bindings,
  environment: string,
  batch: TelemetryBatch,
): Promise<void> {
  const store = openTelemetryStore(env);
  if (store.kind === "embedded")
    return store.append(environment, { ...batch, spans: batch.spans.filter((span) => !isKnown(span)) });
  const logs = batch.logs.length === 0 ? [] : await new EmbeddedStore(env).appendLogs(environment, batch);
  await store.append(environment, { ...batch, logs });
}

/** Batches of one run, in their order. Each has records of that run and of one of its attempts. */
export interface BatchesOfRun {
  environment: string;
  runId: string;
  batches: TelemetryBatch[];
}

/**
 * Stores a host's batches of many runs, as {@link appendTelemetry} does with each batch. Returns how many
 * batches of each run are stored: from its first one on, and without a gap. The host must send the others
 * again.
 *
 * Feeds are called concurrently, since each is a separate object. ClickHouse gets the rows of all runs in one
 * insert, because it answers when they are on disk, and a report of a hundred runs would otherwise wait for
 * that a hundred times.
 */
export async function appendTelemetryOfRuns(env: Bindings, runs: BatchesOfRun[]): Promise<number[]> {
  const store = openTelemetryStore(env);
  if (store.kind === "embedded")
    return Promise.all(
      runs.map(async ({ environment, runId, batches }) => {
        let stored = 0;
        for (const batch of batches) {
          if (!(await isDone(runId, appendTelemetry(env, environment, batch)))) break;
          stored += 1;
        }
        return stored;
      }),
    );
  const feeds = new EmbeddedStore(env);
  const numbered: ReceivedBatch[] = [];
  const stored = await Promise.all(
    runs.map(async ({ environment, runId, batches }) => {
      const append = feeds.appendLogsOfRun(environment, runId, batches).then((withNumbers) => {
        for (const batch of withNumbers) numbered.push({ environment, batch });
      });
      return (await isDone(runId, append)) ? batches.length : 0;
    }),
  );
  // One run is named on behalf of all.
  const whose = runs[0]?.runId ?? "";
  return numbered.length === 0 || (await isDone(whose, store.appendAll(numbered)))
    ? stored
    : stored.map(() => 0);
}

async function isDone(run: string, work: Promise<void>): Promise<boolean> {
  try {
    await inTime(work);
    return true;
  } catch (error) {
    log.error("Telemetry of a run could not be stored; the host sends it again", { run, error });
    return false;
  }
}
