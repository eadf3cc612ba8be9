import { statusesForPublic } from "@acme/sdk/contract";
import type { LiveFilter } from "@acme/sdk/contract/live";
import type { RunRow } from "../rpc.ts";

/** A filter that is prepared for many rows. */
export interface CompiledFilter {
  /** Equal for equivalent filters. */
  readonly key: string;
  readonly filter: LiveFilter;
  /**
   * Whether a matching run may stop matching: because of its status, of its version or machine, or of its
   * tags, which a debounced trigger replaces.
   */
  readonly isMutable: boolean;
  matches(run: RunRow): boolean;
  /**
   * Returns whether the run matches apart from its status, version and machine, which change in the course of a run. Its
   * tags change only if a debounced trigger replaces them.
   */
  mayHaveMatched(run: RunRow): boolean;
}

const sorted = <T extends string>(values: T[] | undefined): T[] | undefined =>
  values && [...new Set(values)].sort();

export function compileFilter(filter: LiveFilter): CompiledFilter {
  const normal: LiveFilter = {
    ...filter,
    statuses: sorted(filter.statuses),
    tasks: sorted(filter.tasks),
    versions: sorted(filter.versions),
    tags: sorted(filter.tags),
    allTags: sorted(filter.allTags),
    queues: sorted(filter.queues),
    machines: sorted(filter.machines),
  };
  const statuses = normal.statuses && new Set<string>(normal.statuses.flatMap(statusesForPublic));
  const setOf = (values: string[] | undefined) => values && new Set<string>(values);
  const tasks = setOf(normal.tasks);
  const versions = setOf(normal.versions);
  const tags = setOf(normal.tags);
  const queues = setOf(normal.queues);
  const machines = setOf(normal.machines);
  const { allTags, batch, schedule, isTest, rootRunId, parentRunId, from } = normal;
  const mayHaveMatched = (run: RunRow): boolean =>
    (!tasks || tasks.has(run.task)) &&
    (!tags || run.tags.some((tag) => tags.has(tag))) &&
    (!allTags || allTags.every((tag) => run.tags.includes(tag))) &&
    (!queues || queues.has(run.queue)) &&
    (batch === undefined || run.batchId === batch) &&
    (schedule === undefined || run.scheduleId === schedule) &&
    (isTest === undefined || run.isTest === isTest) &&
    (rootRunId === undefined || run.rootRunId === rootRunId) &&
    (parentRunId === undefined || run.parentRunId === parentRunId) &&
    (from === undefined || run.createdAt >= from);
  return {
    key: JSON.stringify(Object.entries(normal).filter(([, value]) => value !== undefined)),
    filter: normal,
    isMutable: [statuses, versions, machines, tags, allTags].some((condition) => condition !== undefined),
    matches: (run) =>
      (!statuses || statuses.has(run.status)) &&
      (!versions || (run.deploymentVersion !== null && versions.has(run.deploymentVersion))) &&
      (!machines || machines.has(run.machine)) &&
      mayHaveMatched(run),
    mayHaveMatched,
  };
}

/** The order of lists: newest first; runs of the same millisecond by descending id. */
export const newestFirst = (a: RunRow, b: RunRow): number =>
  b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
