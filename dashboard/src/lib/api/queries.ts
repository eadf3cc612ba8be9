import { infiniteQueryOptions, queryOptions } from "@tanstack/svelte-query";
import type { EnvironmentApi } from "./environment-api.ts";

/** How many pages of a list that is read whole are read: of more, the page says how many there are. */
const MOST_PAGES = 10;

interface NumberedPage<T> {
  data: T[];
  pagination: { currentPage: number; totalPages: number; count: number };
}

/** Reads a list whose pages have numbers. */
async function allPages<T>(read: (page: number) => Promise<NumberedPage<T>>): Promise<NumberedPage<T>> {
  const first = await read(1);
  const data = [...first.data];
  for (let page = 2; page <= Math.min(first.pagination.totalPages, MOST_PAGES); page++)
    data.push(...(await read(page)).data);
  return { ...first, data };
}

/** Queries that several pages share, each with one key, so that pages share the fetched data. */
export const deploymentsQuery = (api: EnvironmentApi) =>
  queryOptions({
    queryKey: [api.id, "deployments"],
    queryFn: ({ signal }) => api.listDeployments(signal),
    staleTime: 10_000,
  });

export const queuesQuery = (api: EnvironmentApi) =>
  queryOptions({
    queryKey: [api.id, "queues"],
    queryFn: ({ signal }) => allPages((page) => api.listQueues(page, signal)),
  });

export const limitsQuery = (api: EnvironmentApi) =>
  queryOptions({
    queryKey: [api.id, "limits"],
    queryFn: ({ signal }) => allPages((page) => api.listLimits(page, signal)),
  });

export const limitKeyQuery = (api: EnvironmentApi, name: string, key: string) =>
  queryOptions({
    queryKey: [api.id, "limit-key", name, key],
    queryFn: ({ signal }) => api.retrieveLimitKey(name, key, signal),
  });

/**
 * A queue's activity over the last hours. A point covers at least a minute, so it is refetched every minute.
 */
export const queueMetricsQuery = (api: EnvironmentApi, id: string, period: string) =>
  queryOptions({
    queryKey: [api.id, "queue-metrics", id, period],
    queryFn: ({ signal }) => api.queueMetrics(id, period, signal),
    refetchInterval: 15_000,
  });

export const schedulesQuery = (api: EnvironmentApi) =>
  queryOptions({
    queryKey: [api.id, "schedules"],
    queryFn: ({ signal }) => allPages((page) => api.listSchedules(page, signal)),
  });

export const cronQuery = (api: EnvironmentApi, cron: string, timezone: string) =>
  queryOptions({
    queryKey: [api.id, "cron", cron, timezone],
    queryFn: ({ signal }) => api.previewCron(cron, timezone, signal),
    staleTime: 30_000,
    retry: false,
  });

export const environmentQuery = (api: EnvironmentApi) =>
  queryOptions({
    queryKey: [api.id, "environment"],
    queryFn: ({ signal }) => api.retrieveEnvironment(signal),
    staleTime: 5_000,
  });

export const tokensQuery = (api: EnvironmentApi, status: string) =>
  infiniteQueryOptions({
    queryKey: [api.id, "tokens", status],
    queryFn: ({ pageParam, signal }) =>
      api.listTokens({ "filter[status]": status, "page[size]": 100, "page[after]": pageParam }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.pagination.next,
  });

/** The current deployment with its manifest; null: nothing is deployed. */
export const currentDeploymentQuery = (api: EnvironmentApi) =>
  queryOptions({
    queryKey: [api.id, "deployments", "current"],
    queryFn: async ({ signal }) => {
      const current = (await api.listDeployments(signal)).find(({ promoted }) => promoted);
      return current ? api.retrieveDeployment(current.version, signal) : null;
    },
    staleTime: 10_000,
  });
