/** Uses the hooks of `@trigger.dev/react-hooks` as an app does, and shows all states as JSON. */
import {
  TriggerAuthContext,
  useRealtimeBatch,
  useRealtimeRun,
  useRealtimeRunsWithTag,
  useRealtimeRunWithStreams,
  useRealtimeStream,
  useTaskTrigger,
} from "@trigger.dev/react-hooks";
import { createElement, type FunctionComponent, useState } from "react";
import { asText } from "./as-text.ts";
import type { PageSettings } from "./settings.ts";

/** A browser has six connections to a server, and each subscription holds one. */
const Runs: FunctionComponent<PageSettings> = ({ runId, otherRunId, tag, batchId, triggerToken }) => {
  const [completed, setCompleted] = useState(0);
  const { run, error } = useRealtimeRun(runId, { onComplete: () => setCompleted((count) => count + 1) });
  const { runs: tagged } = useRealtimeRunsWithTag(tag, { createdAt: "1h" });
  const { runs: batch } = useRealtimeBatch(batchId);
  const forbidden = useRealtimeRun(otherRunId);
  const trigger = useTaskTrigger("work", { accessToken: triggerToken });
  return asText(
    {
      run,
      error: error?.message,
      completed,
      tagged,
      batch,
      forbidden: forbidden.error?.message,
      triggered: { id: trigger.handle?.id, error: trigger.error?.message },
    },
    { trigger: () => trigger.submit({ n: 3, ms: 10 }, { tags: [tag] }) },
  );
};

const Streams: FunctionComponent<PageSettings> = ({ runId }) => {
  const { parts } = useRealtimeStream<{ n: number }>(runId, "numbers");
  const { run, streams } = useRealtimeRunWithStreams(runId);
  return asText({ parts, run, streams }, {});
};

const provided = (settings: PageSettings, component: FunctionComponent<PageSettings>) => {
  const { baseURL, accessToken } = settings;
  return createElement(
    TriggerAuthContext.Provider,
    { value: { baseURL, accessToken } },
    createElement(component, settings),
  );
};

export const PublishedRuns: FunctionComponent<PageSettings> = (settings) => provided(settings, Runs);
export const PublishedStreams: FunctionComponent<PageSettings> = (settings) => provided(settings, Streams);
