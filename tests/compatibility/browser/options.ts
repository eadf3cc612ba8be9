/** Shows the stream hooks of `@acme/sdk/react` with all options besides run and key: all states, as JSON. */
import {
  TriggerAuthContext,
  useRealtimeStream,
  useTriggerAuthContext,
  useTriggerAuthContextOptional,
} from "@acme/sdk/react";
import { createElement, type FunctionComponent, useRef } from "react";
import { asText } from "./as-text.ts";
import type { PageSettings } from "./settings.ts";

interface Part {
  n: number;
}

const numbers = {
  id: "numbers",
  read: (): Promise<AsyncIterable<Part>> => Promise.reject(new Error("A hook reads by itself")),
};

const Streams: FunctionComponent<PageSettings & { outside: string }> = ({
  runId,
  listeningRunId,
  outside,
}) => {
  const { baseURL } = useTriggerAuthContext();
  const data = useRef<Part[]>([]);
  const batches = useRef<{ id: string; chunk: Part; timestamp: number }[]>([]);
  const defined = useRealtimeStream(numbers, runId, {
    onData: (part) => data.current.push(part),
    onParts: (parts) => batches.current.push(...parts),
  });
  const fromIndex = useRealtimeStream<Part>(runId, "numbers", { startIndex: 30 });
  const resumed = useRealtimeStream<Part>(runId, "numbers", { startIndex: 2, lastEventId: "34" });
  const newest = useRealtimeStream<Part>(runId, "numbers", { maxParts: 5 });
  const throttled = useRealtimeStream<Part>(runId, "numbers", { throttleInMs: 300 });
  const silent = useRealtimeStream<Part>(listeningRunId, "silent", { timeoutInSeconds: 1 });
  const off = useRealtimeStream<Part>(runId, "numbers", { enabled: false });
  const later = useRealtimeStream<Part>(undefined, "numbers");
  return asText(
    {
      baseURL,
      outside,
      defined: { parts: defined.parts, ended: defined.ended },
      data: data.current,
      batches: batches.current,
      fromIndex,
      resumed,
      newest,
      throttled,
      silent,
      off,
      later,
    },
    {},
  );
};

/** Outside the context, one hook returns nothing and the other says what is missing. */
export const Options: FunctionComponent<PageSettings> = (settings) => {
  const { baseURL, accessToken } = settings;
  const none = useTriggerAuthContextOptional();
  let outside = `${Object.keys(none).length} values`;
  try {
    // biome-ignore lint/correctness/useHookAtTopLevel: it is called at each render, and always throws.
    useTriggerAuthContext();
  } catch (error) {
    outside += `, ${(error as Error).message}`;
  }
  return createElement(
    TriggerAuthContext.Provider,
    { value: { baseURL, accessToken } },
    createElement(Streams, { ...settings, outside }),
  );
};
