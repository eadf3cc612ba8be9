import type { RunStatus } from "@acme/sdk/contract";
import { RunStatus as Status } from "@acme/sdk/contract";
import type { RunFilter } from "./repository.ts";

/**
 * Part of a list: the runs of one bulk action, of one status, of one task, or with any of several tags. An
 * index has them in the list's order; the database merges the lists of several tags.
 */
export interface Branch {
  bulkAction?: string;
  tags?: string[];
  status?: RunStatus;
  task?: string;
}

/** With more lists to merge than this, scanning all runs is probably faster. */
const MOST_BRANCHES = 16;

/**
 * Returns the lists that, merged, contain all runs that the filter can match. A database asked for several
 * values of an index's column at once would have to collect and sort all that match, however many; asked for
 * each by itself, it reads a page. The narrowest comes first: a bulk action, tags, then statuses (unless it
 * asks for successes, which are most of all), then tasks. One branch without a condition is all runs. None:
 * nothing can match.
 */
export function branchesOf(filter: RunFilter): Branch[] {
  const lists = [filter.statuses, filter.tasks, filter.versions, filter.tags, filter.queues, filter.machines];
  if (lists.some((list) => list?.length === 0)) return [];
  const { bulkAction, tags, statuses, tasks } = filter;
  if (bulkAction !== undefined) return [{ bulkAction }];
  if (tags) return [{ tags: unique(tags) }];
  if (few(statuses) && !statuses.includes(Status.COMPLETED_SUCCESSFULLY)) {
    return unique(statuses).map((status) => ({ status }));
  }
  if (few(tasks)) return unique(tasks).map((task) => ({ task }));
  return [{}];
}

/**
 * Returns the index that has a branch without a bulk action or tags in the list's order. Batches and similar
 * groups have few runs, so their indexes are preferred.
 */
export function indexOf(filter: RunFilter, branch: Branch): string {
  if (filter.batch !== undefined) return "runs_of_batch";
  if (filter.parentRunId !== undefined) return "runs_of_parent";
  if (filter.rootRunId !== undefined) return "runs_of_root";
  if (filter.schedule !== undefined) return "runs_of_schedule";
  if (filter.error !== undefined) return "runs_of_error";
  if (branch.status !== undefined) return "runs_not_succeeded";
  return branch.task === undefined ? "runs_newest" : "runs_of_task";
}

const few = <T>(values: T[] | undefined): values is T[] =>
  values !== undefined && values.length <= MOST_BRANCHES;

const unique = <T>(values: T[]): T[] => [...new Set(values)];
