import type { Bindings } from "../bindings.ts";
import { EmbeddedStore } from "./embedded-store.ts";
import { openTelemetryStore, type TelemetryBatch } from "./store.ts";

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
  if (store.kind === "embedded") return store.append(environment, batch);
  const logs = batch.logs.length === 0 ? [] : await new EmbeddedStore(env).appendLogs(batch);
  await store.append(environment, { ...batch, logs });
}
