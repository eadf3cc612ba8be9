import { onMount } from "svelte";
import type { EnvironmentApi } from "../api/environment-api.ts";
import { type Span, traceOf } from "./spans.ts";

const REFRESH_MS = 2_000;

interface Nested {
  spans: readonly Span[];
  over: boolean;
}

/** Spans of child runs, loaded when their row is opened, and updated while they continue. */
export function useNested(api: EnvironmentApi, onerror: (error: unknown) => void) {
  let loaded = $state.raw<ReadonlyMap<string, Nested>>(new Map());

  async function load(span: Span): Promise<void> {
    const id = span.target;
    if (!id) return;
    try {
      const [run, events] = await Promise.all([api.retrieveRun(id), api.listRunEvents(id)]);
      const [root, ...rest] = traceOf(run, events, `${span.id}/`).spans;
      // The child's own row is the parent's operation, below which its spans are shown.
      const spans = rest.map((inner) => (inner.parent === root?.id ? { ...inner, parent: span.id } : inner));
      loaded = new Map(loaded).set(span.id, { spans, over: run.isCompleted });
    } catch (error) {
      onerror(error);
    }
  }

  onMount(() => {
    const timer = setInterval(() => {
      if (document.hidden) return;
      for (const [id, { over }] of loaded) {
        const span = over ? undefined : all.find((candidate) => candidate.id === id);
        if (span) void load(span);
      }
    }, REFRESH_MS);
    return () => clearInterval(timer);
  });

  let all: readonly Span[] = [];
  return {
    load,
    /** A trace's spans with those of the children that were opened. */
    merge(spans: readonly Span[]): readonly Span[] {
      all = loaded.size === 0 ? spans : [...spans, ...[...loaded.values()].flatMap((nested) => nested.spans)];
      return all;
    },
  };
}
