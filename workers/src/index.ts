import {
  batchObject,
  dispatcherObject,
  environmentObject,
  feedObject,
  liveObject,
  queueObject,
  waitpointObject,
} from "@acme/durable-objects";
import { alertingProjection } from "./alerts/projection.ts";
import { app } from "./app.ts";
import type { Bindings } from "./bindings.ts";
import { countAnswer } from "./health/request-counts.ts";
import { tunnelDependencies } from "./hosts/tunnel-dependencies.ts";
import { liveDependencies } from "./realtime/dependencies.ts";
import { openRepository } from "./storage/open.ts";
import { openRunsTable } from "./telemetry/clickhouse/runs.ts";

/** The object classes. Those that publish changes are given the query side. */
export class QueueObject extends queueObject<Bindings>({
  openProjection: alertingProjection,
  openColumnStore: openRunsTable,
}) {}
export class EnvironmentObject extends environmentObject<Bindings>() {}
export class DispatcherObject extends dispatcherObject<Bindings>(tunnelDependencies) {}
export class FeedObject extends feedObject<Bindings>() {}
export class WaitpointObject extends waitpointObject<Bindings>({ openProjection: openRepository }) {}
export class LiveObject extends liveObject<Bindings>(liveDependencies) {}
export class BatchObject extends batchObject<Bindings>() {}
export { AlertsObject } from "./alerts/object.ts";
export { BulkActionObject } from "./bulk-actions/object.ts";
export { ProjectDeletionObject } from "./control/deletion/object.ts";
export { LimiterObject } from "./http/limiter-object.ts";
export { UserObject } from "./people/user-object.ts";
export { DatabaseObject } from "./storage/database-object.ts";

export default {
  async fetch(request, env, context) {
    const response = await app.fetch(request, env, context);
    countAnswer(response.status);
    return response;
  },
} satisfies ExportedHandler<Bindings>;
