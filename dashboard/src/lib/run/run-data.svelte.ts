import type { LiveLogLine } from "@acme/sdk/live";
import { createQuery, useQueryClient } from "@tanstack/svelte-query";
import { onMount, untrack } from "svelte";
import type { EnvironmentApi, RunDetail } from "../api/environment-api.ts";
import { getLive } from "../live/connection.ts";
import { type LogLine, levelOf } from "../logs/lines.ts";
import { withRecorded } from "../trace/recorded.ts";
import { traceOf } from "../trace/spans.ts";

/** The maximum number of lines that are kept; the oldest are dropped. */
const MAX_LINES = 20_000;
/** The minimum interval between fetches of the timeline while changes arrive. */
const TIMELINE_MS = 400;
/**
 * The socket does not report a run's steps, so the timeline of an executing run is also fetched at this
 * interval.
 */
const EXECUTING_MS = 2_000;

/** Spans are recorded a moment after they end; while the run continues they are fetched at this interval. */
const SPANS_MS = 3_000;
/** Pages of 10,000 spans. */
const SPAN_PAGES = 3;

const lineOf = ({ seq, time, level, message, attempt, properties }: LiveLogLine): LogLine => ({
  seq,
  time,
  level: levelOf(level),
  message,
  attempt,
  properties,
});

/** A run with its trace and logs, live for as long as the calling component is mounted. */
export function useRun(api: EnvironmentApi, runId: string) {
  const queries = useQueryClient();
  const live = getLive();
  const runKey = [api.id, "run", runId];
  /** When the latest state that the socket brought was committed. */
  let told = "";
  const run = createQuery(() => ({
    queryKey: runKey,
    queryFn: async ({ signal }) => {
      const found = await api.retrieveRun(runId, signal);
      // The socket may have brought a later state while this answer was under way; no other message need follow it.
      return told > found.updatedAt ? api.retrieveRun(runId, signal) : found;
    },
  }));
  const events = createQuery(() => ({
    queryKey: [api.id, "events", runId],
    queryFn: ({ signal }) => api.listRunEvents(runId, signal),
    refetchInterval: () => (run.data && (run.data.isExecuting || run.data.isQueued) ? EXECUTING_MS : false),
  }));
  const spans = createQuery(() => ({
    queryKey: [api.id, "spans", runId],
    queryFn: ({ signal }) => api.listSpans(runId, SPAN_PAGES, signal),
    refetchInterval: () => (run.data && !run.data.isCompleted && run.data.startedAt ? SPANS_MS : false),
    // The data of the run's owner is shown without them.
    retry: false,
  }));
  let lines = $state.raw<readonly LogLine[]>([]);
  let now = $state(Date.now());

  onMount(() => {
    let timelineTimer: ReturnType<typeof setTimeout> | undefined;
    const refreshTimeline = () => {
      timelineTimer ??= setTimeout(() => {
        timelineTimer = undefined;
        void events.refetch();
        if (untrack(() => run.data)?.isCompleted) void spans.refetch();
      }, TIMELINE_MS);
    };
    const onError = (error: Error) => console.warn(`Run ${runId} can't be watched live`, error.message);
    const runs = live.run(
      runId,
      ({ run: { data: _, position: __, ...summary }, final }) => {
        if (summary.updatedAt > told) told = summary.updatedAt;
        const known = untrack(() => run.data);
        if (known && known.updatedAt > summary.updatedAt) return;
        const changed = known?.updatedAt !== summary.updatedAt || known?.status !== summary.status;
        queries.setQueryData<RunDetail>(runKey, (old) => old && { ...old, ...summary });
        // Output, error and metadata come with the run itself.
        if (changed) void queries.invalidateQueries({ queryKey: runKey });
        if (changed || final) refreshTimeline();
      },
      { onError },
    );
    // The list changes once per frame, however many messages arrive.
    let arrived: LogLine[] = [];
    let frame: ReturnType<typeof setTimeout> | undefined;
    const logs = live.logs(
      runId,
      (more) => {
        arrived.push(...more.map(lineOf));
        frame ??= setTimeout(() => {
          frame = undefined;
          lines = [...lines, ...arrived].slice(-MAX_LINES);
          arrived = [];
        }, 16);
        refreshTimeline();
      },
      { onError },
    );
    const timer = setInterval(() => {
      if (!document.hidden && !run.data?.isCompleted) now = Date.now();
    }, 250);
    return () => {
      clearInterval(timer);
      clearTimeout(timelineTimer);
      clearTimeout(frame);
      runs.unsubscribe();
      logs.unsubscribe();
    };
  });

  const trace = $derived.by(() => {
    if (!run.data) return null;
    const own = traceOf(run.data, events.data ?? []);
    return {
      ...own,
      spans: withRecorded(own.spans, spans.data?.spans ?? [], runId),
      truncated: spans.data?.truncated ?? false,
    };
  });
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
    /** Grows while the run continues. */
    get now() {
      return now;
    },
  };
}
