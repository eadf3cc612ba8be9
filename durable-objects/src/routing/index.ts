/** Finds and addresses the object that owns something. Pure: no storage, no clock. */

export { TUNNEL_OPENING_HEADER } from "../dispatcher/tunnels.ts";
export { LIVE_PRINCIPAL_HEADER, mayReadRun, mayWatch } from "../live/access.ts";
export { streamsOf } from "../live/run-data.ts";
export { knownColumns } from "../live/skip-columns.ts";
export { declarationOf, type IndexedManifest, indexed } from "./declaration.ts";
export { claimRunId, enqueueRuns, type QueuedRuns } from "./enqueue.ts";
export * from "./environment-id.ts";
export { idempotencyHomeOf, queueKeyOf } from "./keys.ts";
export { DELAY_CLASSES_MS, METRICS_MINUTE_MS } from "./metrics-classes.ts";
export { partitionOf, partitionsOf, queueRef, refOfKey } from "./partitions.ts";
export { HOST_POOL, poolOf } from "./pool.ts";
export { emptyStats } from "./settings.ts";
export * from "./shards/index.ts";
export { type Stubs, stubs } from "./stubs.ts";
