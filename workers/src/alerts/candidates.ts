import { METRICS_MINUTE_MS, queueRef } from "@acme/durable-objects/routing";
import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { serializeError } from "@acme/sdk/contract";
import type { AlertCondition } from "@acme/sdk/contract/api";
import { and, eq } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import { type ErrorGroupRow, statusNow } from "../errors/error-queries.ts";
import { environmentObjectOf, ownerOf, queueObjectOf } from "../objects.ts";
import { currentDeployment } from "../runs/current-deployment.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { isOneOf } from "../storage/sql-lists.ts";
import { metricsPoints, metricsView } from "../views/queue-metrics-view.ts";
import type { RuleRow } from "./channels.ts";
import { isOver, isStuck, minutesOfWait, outcomesOf } from "./evaluate.ts";
import { type Notice, NoticeWriter } from "./notice.ts";
import type { FailedDeployment, FailedRun } from "./rpc.ts";

/** A subject that a rule may give notice of. */
export interface Candidate {
  row: RuleRow;
  /** At most one notice with this key per interval of the rule; `once`: at most one ever. */
  subject: string;
  once?: boolean;
  /** Returns null if there is nothing to report any more. */
  write(): Promise<Notice | null>;
}

export interface AlertFacts {
  failures: FailedRun[];
  deployments: FailedDeployment[];
  looksAtQueues: boolean;
  now: number;
}

/** How long an error counts as new: records of notices about older ones are eventually deleted. */
const NEW_FOR_MS = 24 * 3_600_000;
/** The maximum number of queues that are examined. */
const MOST_QUEUES = 100;
const DELAY_MINUTES = 5;
/** The number of runs that are tried until one still exists. */
const TRIED_RUNS = 5;

type ConditionOf<Type extends AlertCondition["type"]> = Extract<AlertCondition, { type: Type }>;

export async function candidatesOf(
  env: Bindings,
  connection: SqlConnection,
  environment: EnvironmentRef,
  rules: RuleRow[],
  facts: AlertFacts,
): Promise<Candidate[]> {
  const writer = new NoticeWriter(environment, env.PUBLIC_URL);
  const { failures, now } = facts;
  const groups = await groupsOf(connection, environment.key, failures);
  const isIgnored = ({ fingerprint }: FailedRun): boolean => {
    const group = groups.get(fingerprint);
    return group !== undefined && statusNow(group, now) === "ignored";
  };
  const noticeable = failures.filter((failure) => !isIgnored(failure));
  const found: Candidate[] = [];
  for (const row of rules) {
    const { condition } = row.rule;
    switch (condition.type) {
      case "run_failed":
        found.push(
          ...(await ofFailures(env, connection, environment, writer, row, condition, noticeable, now)),
        );
        break;
      case "error":
        found.push(...ofErrors(env, environment, writer, row, condition, noticeable, groups, now));
        break;
      case "deployment_failed":
        for (const deployment of facts.deployments)
          found.push({
            row,
            subject: `deployment:${deployment.id}`,
            once: true,
            write: async () => writer.deploymentFailed(deployment),
          });
        break;
      case "queue":
        if (facts.looksAtQueues)
          found.push(...(await ofQueues(env, environment, writer, row, condition, now)));
    }
  }
  return found;
}

async function groupsOf(
  connection: SqlConnection,
  environmentKey: string,
  failures: FailedRun[],
): Promise<Map<string, ErrorGroupRow>> {
  const { errorGroups } = connection.tables;
  const fingerprints = [...new Set(failures.map(({ fingerprint }) => fingerprint))];
  if (fingerprints.length === 0) return new Map();
  const rows = await connection.db
    .select()
    .from(errorGroups)
    .where(
      and(
        eq(errorGroups.environmentKey, environmentKey),
        isOneOf(connection, errorGroups.fingerprint, fingerprints),
      ),
    );
  return new Map(rows.map((row) => [row.fingerprint, row]));
}

const concerns = (tasks: string[] | undefined, { task }: FailedRun): boolean =>
  tasks === undefined || tasks.includes(task);

async function ofFailures(
  env: Bindings,
  connection: SqlConnection,
  environment: EnvironmentRef,
  writer: NoticeWriter,
  row: RuleRow,
  { tasks, threshold }: ConditionOf<"run_failed">,
  failures: FailedRun[],
  now: number,
): Promise<Candidate[]> {
  const own = failures.filter((failure) => concerns(tasks, failure) && failure.at >= row.createdAt);
  if (own.length === 0) return [];
  if (threshold) {
    const outcomes = await outcomesOf(connection, environment.key, tasks, threshold.windowMinutes, now);
    if (!isOver(threshold, outcomes)) return [];
    const { failed, judged } = outcomes;
    return [
      {
        row,
        subject: "rate",
        write: async () => writer.runRate(failed, judged, threshold.windowMinutes, tasks),
      },
    ];
  }
  return [...Map.groupBy(own, ({ task }) => task)].map(([task, runs]) => ({
    row,
    subject: `task:${task}`,
    async write() {
      for (const { runId } of runs.slice(0, TRIED_RUNS)) {
        const run = await ownerOf(env, environment.key, runId).retrieveRun(environment.key, runId);
        if (!run) continue;
        const known = await currentDeployment(env, environment.key);
        return writer.runFailed(run, known?.tasks.get(task)?.filePath ?? "");
      }
      return null;
    },
  }));
}

function ofErrors(
  env: Bindings,
  environment: EnvironmentRef,
  writer: NoticeWriter,
  row: RuleRow,
  { tasks, on }: ConditionOf<"error">,
  failures: FailedRun[],
  groups: Map<string, ErrorGroupRow>,
  now: number,
): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const failure of failures) {
    const group = groups.get(failure.fingerprint);
    if (!group || !concerns(tasks, failure)) continue;
    const { fingerprint, firstSeen, reopenedAt } = group;
    const write = (what: "new" | "reopened") => async () => {
      const run = await ownerOf(env, environment.key, failure.runId).retrieveRun(
        environment.key,
        failure.runId,
      );
      return writer.error(group, what, run?.error ? serializeError(run.error).stackTrace : undefined);
    };
    if (on.includes("new") && firstSeen >= row.createdAt && firstSeen > now - NEW_FOR_MS) {
      const subject = `new:${fingerprint}`;
      found.set(subject, { row, subject, once: true, write: write("new") });
    }
    if (on.includes("reopened") && reopenedAt !== null && reopenedAt >= row.createdAt) {
      const subject = `reopened:${fingerprint}:${reopenedAt}`;
      found.set(subject, { row, subject, once: true, write: write("reopened") });
    }
  }
  return [...found.values()];
}

async function ofQueues(
  env: Bindings,
  environment: EnvironmentRef,
  writer: NoticeWriter,
  row: RuleRow,
  { queues: names, depth, delaySeconds }: ConditionOf<"queue">,
  now: number,
): Promise<Candidate[]> {
  const { queues } = await environmentObjectOf(env, environment.key).listQueues(0, MOST_QUEUES);
  const to = Math.floor(now / METRICS_MINUTE_MS) + 1;
  const waited = delaySeconds === undefined ? 0 : minutesOfWait(delaySeconds);
  const from = to - Math.max(DELAY_MINUTES, waited);
  const found: Candidate[] = [];
  for (const { queue, partitions } of queues) {
    if (names && !names.includes(queue)) continue;
    const objects = partitions.map((partition) =>
      queueObjectOf(env, queueRef(environment, queue, partition).queueKey),
    );
    const [stats, minutes] = await Promise.all([
      Promise.all(objects.map((object) => object.queueStats(environment.key))),
      delaySeconds === undefined
        ? []
        : Promise.all(objects.map((object) => object.queueMetrics(environment.key, from, to))),
    ]);
    const waiting = stats.reduce((sum, each) => sum + (each?.pending ?? 0), 0);
    const recent = { from: to - DELAY_MINUTES, to, resolution: DELAY_MINUTES };
    const { delayP95Ms } = metricsView(minutes, recent);
    const stuck =
      delaySeconds !== undefined && isStuck(metricsPoints(minutes, { from: to - waited, to, resolution: 1 }));
    const delayMs = stuck ? Math.max(delayP95Ms ?? 0, delaySeconds * 1_000) : delayP95Ms;
    const isDeep = depth !== undefined && waiting > depth;
    const isSlow =
      stuck || (delaySeconds !== undefined && delayP95Ms !== null && delayP95Ms > delaySeconds * 1_000);
    if (isDeep || isSlow)
      found.push({
        row,
        subject: `queue:${queue}`,
        write: async () => writer.queue(queue, { depth: waiting, delayMs }),
      });
  }
  return found;
}
