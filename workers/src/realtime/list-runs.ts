import type { RunRow } from "@acme/durable-objects/rpc";
import { statusesForPublic } from "@acme/sdk/contract";
import type { LiveFilter } from "@acme/sdk/contract/live";
import type { Repository, RunFilter } from "../storage/repository.ts";

/** The maximum number of pages that are read for a filter that the query side supports only partly. */
const MAX_PAGES = 10;

/** Returns the newest runs of the query side that match a live filter. `more`: older runs match as well. */
export async function listRuns(
  repository: Pick<Repository, "listRuns">,
  environmentKey: string,
  filter: LiveFilter,
  limit: number,
): Promise<{ runs: RunRow[]; more: boolean }> {
  const runs: RunRow[] = [];
  let after: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const listing = await repository.listRuns(environmentKey, runFilter(filter), { limit, after });
    runs.push(
      ...listing.runs.filter(({ tags }) => filter.allTags?.every((tag) => tags.includes(tag)) ?? true),
    );
    after = listing.next ?? undefined;
    if (after === undefined || runs.length >= limit) break;
  }
  return { runs: runs.slice(0, limit), more: after !== undefined || runs.length > limit };
}

function runFilter(filter: LiveFilter): RunFilter {
  const { statuses, tags, allTags, tasks, versions, queues, machines, batch, schedule } = filter;
  return {
    statuses: statuses?.flatMap(statusesForPublic),
    tags: tags ?? allTags?.slice(0, 1),
    tasks,
    versions,
    queues,
    machines,
    batch,
    schedule,
    isTest: filter.isTest,
    rootRunId: filter.rootRunId,
    parentRunId: filter.parentRunId,
    from: filter.from,
  };
}
