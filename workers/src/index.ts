import {
  batchObject,
  dispatcherObject,
  environmentObject,
  feedObject,
  liveObject,
  queueObject,
  waitpointObject,
} from "@acme/durable-objects";
import { vitals } from "@acme/durable-objects/lib/vitals";
import { alertingProjection } from "./alerts/projection.ts";
import { app } from "./app.ts";
import type { Bindings } from "./bindings.ts";
import { isReportDue, reportVitals } from "./health/monitor/report.ts";
import { tunnelDependencies } from "./hosts/tunnel-dependencies.ts";
import { liveDependencies } from "./realtime/dependencies.ts";
import { openRepository } from "./storage/open.ts";
import { openRunsTable } from "./telemetry/clickhouse/runs.ts";

/** The object classes. Classes that publish changes get the query side. */
export class QueueObject extends queueObject<Bindings>({
  openProjection: alertingProjection,
  openColumnStore: openRunsTable,
}) {
  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    await super.alarm(info);
    if (isReportDue()) this.ctx.waitUntil(reportVitals(this.env));
  }
}
export class EnvironmentObject extends environmentObject<Bindings>() {
  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    await super.alarm(info);
    if (isReportDue()) this.ctx.waitUntil(reportVitals(this.env));
  }
}
export class DispatcherObject extends dispatcherObject<Bindings>(tunnelDependencies) {
  override async alarm(info?: AlarmInvocationInfo): Promise<void> {
    await super.alarm(info);
    if (isReportDue()) this.ctx.waitUntil(reportVitals(this.env));
  }
}
export class FeedObject extends feedObject<Bindings>() {}
export class WaitpointObject extends waitpointObject<Bindings>({ openProjection: openRepository }) {}
export class LiveObject extends liveObject<Bindings>(liveDependencies) {}
export class BatchObject extends batchObject<Bindings>() {}
export { AlertsObject } from "./alerts/object.ts";
export { ArtifactsObject } from "./artifacts/object.ts";
export { BulkActionObject } from "./bulk-actions/object.ts";
export { ProjectDeletionObject } from "./control/deletion/object.ts";
export { MonitorObject } from "./health/monitor/object.ts";
export { LimiterObject } from "./http/limiter-object.ts";
export { UserObject } from "./people/user-object.ts";
export { ShardEntrypoint } from "./shards/entrypoint.ts";
export { DatabaseObject } from "./storage/database-object.ts";

const ANSWERS = ["answers_1xx", "answers_2xx", "answers_3xx", "answers_4xx", "answers_5xx"] as const;

export default {
  async fetch(request, env, context) {
    const response = await app.fetch(request, env, context);
    vitals.count(ANSWERS[Math.floor(response.status / 100) - 1] ?? "answers_5xx");
    if (isReportDue()) context.waitUntil(reportVitals(env));
    return response;
  },
} satisfies ExportedHandler<Bindings>;
