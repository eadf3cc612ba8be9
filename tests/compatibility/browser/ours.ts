/** Uses the hooks of `@acme/sdk/react` as an app does, and shows all states as JSON. */
import {
  TriggerAuthContext,
  useInputStreamSend,
  useRealtimeBatch,
  useRealtimeRun,
  useRealtimeRunsWithTag,
  useRealtimeRunWithStreams,
  useRealtimeTaskTrigger,
  useRealtimeTaskTriggerWithStreams,
  useRun,
  useStream,
  useTaskTrigger,
  useWaitToken,
} from "@acme/sdk/react";
import { createElement, type FunctionComponent, StrictMode, useState } from "react";
import { asText } from "./as-text.ts";
import type { PageSettings } from "./settings.ts";

const Hooks: FunctionComponent<PageSettings> = (settings) => {
  const { runId, otherRunId, tag, batchId, waitToken, triggerToken, accessToken, listeningRunId } = settings;
  const [completed, setCompleted] = useState(0);
  const { run } = useRealtimeRun(runId, { onComplete: () => setCompleted((count) => count + 1) });
  const { runs: tagged } = useRealtimeRunsWithTag(tag, { createdAt: "1h" });
  const { runs: batch } = useRealtimeBatch(batchId);
  const { parts, ended, lastEventId } = useStream<{ n: number }>(runId, "numbers");
  const latest = useStream(runId, "numbers", { from: "latest", maxParts: 1 });
  const forbidden = useRealtimeRun(otherRunId);
  const refused = useTaskTrigger("work", { accessToken });
  const trigger = useRealtimeTaskTrigger("work", { accessToken: triggerToken });
  const token = useWaitToken(waitToken.id, { accessToken: waitToken.publicAccessToken });
  const { run: runOfStreams, streams } = useRealtimeRunWithStreams(runId, {
    skipColumns: ["payload", "runTags"],
  });
  const plain = useRealtimeRunsWithTag(tag, { skipColumns: ["payload", "output", "metadata"] });
  const { run: retrieved } = useRun(runId, { refreshInterval: 300 });
  const triggerWithStreams = useRealtimeTaskTriggerWithStreams("work", { accessToken: triggerToken });
  const input = useInputStreamSend<{ yes: boolean }>("answer", listeningRunId);
  const listening = useRealtimeRun(listeningRunId);
  return asText(
    {
      withStreams: { run: runOfStreams, streams },
      plain: plain.runs,
      retrieved,
      triggeredWithStreams: { run: triggerWithStreams.run, streams: triggerWithStreams.streams },
      input: { isReady: input.isReady, error: input.error?.message },
      listening: listening.run,
      run,
      completed,
      tagged,
      batch,
      stream: { parts, ended, lastEventId },
      latest: latest.parts,
      forbidden: forbidden.error?.message,
      refused: refused.error?.message,
      triggered: { id: trigger.handle?.id, run: trigger.run, error: trigger.error?.message },
      token: { isReady: token.isReady, isCompleted: token.isCompleted, error: token.error?.message },
    },
    {
      trigger: () => trigger.submit({ n: 3, ms: 10 }, { tags: [tag] }),
      "trigger-refused": () => refused.submit({ n: 1, ms: 0 }),
      complete: () => token.complete({ answer: 42 }),
      send: () => input.send({ yes: true }),
      "trigger-with-streams": () => triggerWithStreams.submit({ n: 2, ms: 10 }, { tags: [tag] }),
    },
  );
};

export const Ours: FunctionComponent<PageSettings> = (settings) => {
  const { baseURL, accessToken } = settings;
  return createElement(
    StrictMode,
    null,
    createElement(
      TriggerAuthContext.Provider,
      { value: { baseURL, accessToken } },
      createElement(Hooks, settings),
    ),
  );
};
