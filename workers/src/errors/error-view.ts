import type { RunRecord, RunRow } from "@acme/durable-objects/rpc";
import { publicStatus, serializeError } from "@acme/sdk/contract";
import type { ErrorGroupDetail, ErrorGroupListItem } from "@acme/sdk/contract/api";
import { HOUR_MS } from "../storage/rollup-columns.ts";
import { stepOf, versionOfKey } from "../storage/run-facts.ts";
import { isoTime } from "../views/time.ts";
import { ERROR_PREFIX } from "./error-id.ts";
import { type ErrorGroupRow, type ListedError, type SeenInHour, statusNow } from "./error-queries.ts";

const orNull = (time: number | null): string | null => (time === null ? null : isoTime(time));

const summaryOf = (group: ErrorGroupRow, count: number, now: number) => ({
  id: ERROR_PREFIX + group.fingerprint,
  fingerprint: group.fingerprint,
  taskIdentifier: group.task,
  errorType: group.name,
  errorMessage: group.message,
  status: statusNow(group, now),
  count,
  firstSeen: isoTime(group.firstSeen),
  lastSeen: isoTime(group.lastSeen),
  resolvedAt: group.status === "resolved" ? orNull(group.resolvedAt) : null,
  ignoredUntil: group.status === "ignored" ? orNull(group.ignoredUntil) : null,
  reopenedAt: orNull(group.reopenedAt),
});

/** The number of hours of `activity`. */
export const ACTIVITY_HOURS = 24;

export const firstActivityHour = (now: number): number =>
  stepOf(now, HOUR_MS) - (ACTIVITY_HOURS - 1) * HOUR_MS;

export function errorItem(group: ListedError, counts: SeenInHour[], now: number): ErrorGroupListItem {
  const first = firstActivityHour(now);
  const activity = Array.from({ length: ACTIVITY_HOURS }, () => 0);
  for (const { fingerprint, hour, count } of counts) {
    const index = (hour - first) / HOUR_MS;
    if (fingerprint === group.fingerprint && activity[index] !== undefined) activity[index] += count;
  }
  return { ...summaryOf(group, group.seen, now), activity };
}

const DAY_MS = 24 * HOUR_MS;
const HOURLY_UP_TO_MS = 7 * DAY_MS;

export interface ErrorFacts {
  counts: SeenInHour[];
  versions: string[];
  runs: RunRow[];
  last: RunRecord | null;
  from: number;
  to: number;
}

export function errorDetail(group: ErrorGroupRow, facts: ErrorFacts, now: number): ErrorGroupDetail {
  const ignored = group.status === "ignored";
  const step = facts.to - facts.from > HOURLY_UP_TO_MS ? DAY_MS : HOUR_MS;
  return {
    ...summaryOf(group, group.count, now),
    affectedVersions: facts.versions.map((key) => versionOfKey(key) ?? ""),
    resolvedInVersion:
      group.status === "resolved" && group.resolvedInVersion ? versionOfKey(group.resolvedInVersion) : null,
    resolvedBy: group.status === "resolved" ? group.resolvedBy : null,
    ignoredAt: ignored ? orNull(group.ignoredAt) : null,
    ignoredReason: ignored ? group.ignoredReason : null,
    ignoredByUserId: ignored ? group.ignoredBy : null,
    ignoredUntilOccurrenceRate: ignored ? group.ignoredUntilRate : null,
    ignoredUntilTotalOccurrences: ignored ? group.ignoredUntilCount : null,
    stackTrace: facts.last?.error ? (serializeError(facts.last.error).stackTrace ?? null) : null,
    resolutionMinutes: step / 60_000,
    series: seriesOf(facts, step),
    lastRuns: facts.runs.map((run) => ({
      id: run.id,
      status: publicStatus(run.status),
      version: run.deploymentVersion,
      createdAt: isoTime(run.createdAt),
      finishedAt: orNull(run.completedAt),
    })),
  };
}

function seriesOf({ counts, from, to }: ErrorFacts, step: number): ErrorGroupDetail["series"] {
  const points = new Map<number, ErrorGroupDetail["series"][number]>();
  for (let time = stepOf(from, step); time <= to; time += step)
    points.set(time, { time: isoTime(time), count: 0, versions: {} });
  for (const { hour, version, count } of counts) {
    const point = points.get(stepOf(hour, step));
    if (!point) continue;
    const name = versionOfKey(version) ?? "";
    point.count += count;
    point.versions[name] = (point.versions[name] ?? 0) + count;
  }
  return [...points.values()];
}
