import type { Operations } from "./operation.ts";
import { ACCESS_TOKENS_OPERATIONS } from "./operations/access-tokens.ts";
import { ADMIN_OPERATIONS } from "./operations/admin.ts";
import { ALERTS_OPERATIONS } from "./operations/alerts.ts";
import { BATCHES_OPERATIONS } from "./operations/batches.ts";
import { BULK_ACTIONS_OPERATIONS } from "./operations/bulk-actions.ts";
import { CONCURRENCY_LIMITS_OPERATIONS } from "./operations/concurrency-limits.ts";
import { DEPLOYMENTS_OPERATIONS } from "./operations/deployments.ts";
import { DEVELOPMENT_OPERATIONS } from "./operations/development.ts";
import { ENVIRONMENTS_OPERATIONS } from "./operations/environments.ts";
import { ERRORS_OPERATIONS } from "./operations/errors.ts";
import { HOSTS_OPERATIONS } from "./operations/hosts.ts";
import { KEYS_OPERATIONS } from "./operations/keys.ts";
import { METRICS_OPERATIONS } from "./operations/metrics.ts";
import { ORGANIZATIONS_OPERATIONS } from "./operations/organizations.ts";
import { OTLP_OPERATIONS } from "./operations/otlp.ts";
import { PACKETS_OPERATIONS } from "./operations/packets.ts";
import { PEOPLE_OPERATIONS } from "./operations/people.ts";
import { QUEUES_OPERATIONS } from "./operations/queues.ts";
import { REALTIME_OPERATIONS } from "./operations/realtime.ts";
import { RUNS_OPERATIONS } from "./operations/runs.ts";
import { SCHEDULES_OPERATIONS } from "./operations/schedules.ts";
import { SYSTEM_OPERATIONS } from "./operations/system.ts";
import { TELEMETRY_SEARCH_OPERATIONS } from "./operations/telemetry-search.ts";
import { TRIGGER_OPERATIONS } from "./operations/trigger.ts";
import { VARIABLES_OPERATIONS } from "./operations/variables.ts";
import { WAITPOINTS_OPERATIONS } from "./operations/waitpoints.ts";

/** Every route, with the schemas that check its requests. Each resource has its own file. */
export const OPERATIONS: Operations = {
  ...TRIGGER_OPERATIONS,
  ...BATCHES_OPERATIONS,
  ...WAITPOINTS_OPERATIONS,
  ...PACKETS_OPERATIONS,
  ...SCHEDULES_OPERATIONS,
  ...RUNS_OPERATIONS,
  ...OTLP_OPERATIONS,
  ...DEPLOYMENTS_OPERATIONS,
  ...ERRORS_OPERATIONS,
  ...METRICS_OPERATIONS,
  ...TELEMETRY_SEARCH_OPERATIONS,
  ...ALERTS_OPERATIONS,
  ...QUEUES_OPERATIONS,
  ...CONCURRENCY_LIMITS_OPERATIONS,
  ...ENVIRONMENTS_OPERATIONS,
  ...DEVELOPMENT_OPERATIONS,
  ...KEYS_OPERATIONS,
  ...HOSTS_OPERATIONS,
  ...ADMIN_OPERATIONS,
  ...BULK_ACTIONS_OPERATIONS,
  ...PEOPLE_OPERATIONS,
  ...ACCESS_TOKENS_OPERATIONS,
  ...ORGANIZATIONS_OPERATIONS,
  ...VARIABLES_OPERATIONS,
  ...REALTIME_OPERATIONS,
  ...SYSTEM_OPERATIONS,
};
