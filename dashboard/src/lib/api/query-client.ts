import { QueryClient } from "@tanstack/svelte-query";
import { ApiError } from "./errors.ts";

/** A refused request is not retried; a failed one is retried twice. */
const mayPass = (error: unknown): boolean =>
  !(error instanceof ApiError) || error.status === 0 || error.status === 429 || error.status >= 500;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      retry: (count, error) => count < 2 && mayPass(error),
      // A page says within one and a half seconds what it can't load.
      retryDelay: (count) => 300 * 3 ** count,
      refetchOnWindowFocus: true,
    },
  },
});
