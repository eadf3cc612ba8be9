import { createQuery, useQueryClient } from "@tanstack/svelte-query";
import { onMount } from "svelte";
import type { EnvironmentApi } from "../api/environment-api.ts";
import { linesOf } from "../logs/lines.ts";
import { traceOf } from "../trace/spans.ts";

/** A run with its trace and logs, kept up to date for as long as the calling component is mounted. */
export function useRun(api: EnvironmentApi, id: () => string) {
  const queries = useQueryClient();
  const run = createQuery(() => ({
    queryKey: [api.id, "run", id()],
    queryFn: ({ signal }) => api.retrieveRun(id(), signal),
    refetchInterval: (query) => (query.state.data?.isCompleted ? false : 1_000),
  }));
  const events = createQuery(() => ({
    queryKey: [api.id, "events", id()],
    queryFn: ({ signal }) => api.listRunEvents(id(), signal),
    refetchInterval: () => (run.data?.isCompleted ? false : 1_000),
  }));
  // The last events may have been on their way when the run ended.
  let wasOpen = false;
  $effect(() => {
    if (run.data && !run.data.isCompleted) wasOpen = true;
    if (run.data?.isCompleted && wasOpen) {
      wasOpen = false;
      void queries.invalidateQueries({ queryKey: [api.id, "events", id()] });
    }
  });

  let now = $state(Date.now());
  onMount(() => {
    const timer = setInterval(() => {
      if (!document.hidden && !run.data?.isCompleted) now = Date.now();
    }, 250);
    return () => clearInterval(timer);
  });

  const trace = $derived(run.data ? traceOf(run.data, events.data ?? []) : null);
  const lines = $derived(linesOf(events.data ?? []));
  return {
    get run() {
      return run;
    },
    get trace() {
      return trace;
    },
    get lines() {
      return lines;
    },
    /** Grows while the run goes on. */
    get now() {
      return now;
    },
  };
}
