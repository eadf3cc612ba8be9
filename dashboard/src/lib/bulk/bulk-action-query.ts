import { queryOptions } from "@tanstack/svelte-query";
import type { EnvironmentApi } from "../api/environment-api.ts";

const REFRESH_MS = 700;

/** Returns the options of a query for a bulk action, which is refetched until it has ended. */
export const bulkActionQuery = (api: EnvironmentApi, id: string) =>
  queryOptions({
    queryKey: [api.id, "bulk", id],
    queryFn: ({ signal }) => api.retrieveBulkAction(id, signal),
    refetchInterval: (query) =>
      query.state.data && query.state.data.status !== "PENDING" ? false : REFRESH_MS,
  });
