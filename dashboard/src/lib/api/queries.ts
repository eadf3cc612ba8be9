import { queryOptions } from "@tanstack/svelte-query";
import type { EnvironmentApi } from "./environment-api.ts";

/** Queries that several pages share, each with one key, so that pages share the fetched data. */
export const deploymentsQuery = (api: EnvironmentApi) =>
  queryOptions({
    queryKey: [api.id, "deployments"],
    queryFn: ({ signal }) => api.listDeployments(signal),
    staleTime: 10_000,
  });

export const queuesQuery = (api: EnvironmentApi) =>
  queryOptions({ queryKey: [api.id, "queues"], queryFn: ({ signal }) => api.listQueues(1, signal) });

export const limitsQuery = (api: EnvironmentApi) =>
  queryOptions({ queryKey: [api.id, "limits"], queryFn: ({ signal }) => api.listLimits(signal) });

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
  queryOptions({ queryKey: [api.id, "schedules"], queryFn: ({ signal }) => api.listSchedules(1, signal) });

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
  queryOptions({
    queryKey: [api.id, "tokens", status],
    queryFn: ({ signal }) => api.listTokens({ "filter[status]": status, "page[size]": 100 }, signal),
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
