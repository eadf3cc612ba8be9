import { STREAMS_KEY, serializeError } from "@acme/sdk/contract";
import type { LiveRun, LiveRunData, RunSummary } from "@acme/sdk/contract/live";
import type { RunRecord, RunRow } from "../rpc.ts";

/**
 * Returns payload, output and other data of a run. `payload` false: the receiver has the payload already, and
 * it never changes.
 */
export function dataOf(run: RunRecord, payload: boolean): LiveRunData {
  const streams = streamsOf(run);
  return {
    ...(payload && run.payload !== null ? { payload: { data: run.payload, dataType: run.payloadType } } : {}),
    ...(run.output !== null
      ? { output: { data: run.output, dataType: run.outputType ?? "application/json" } }
      : {}),
    ...metadataOf(run.metadata),
    ...(streams ? { streams } : {}),
    ...(run.error ? { error: serializeError(run.error) } : {}),
  };
}

export const liveRun = (
  summaryOf: (run: RunRow) => RunSummary,
  run: RunRow,
  data?: LiveRunData,
): LiveRun => ({
  ...summaryOf(run),
  position: run.version,
  ...(data ? { data } : {}),
});

/** Returns nothing if it can't be read: one run must not make a list fail. */
function metadataOf(text: string | null): Pick<LiveRunData, "metadata"> {
  if (text === null) return {};
  try {
    return { metadata: JSON.parse(text) as Record<string, unknown> };
  } catch {
    return {};
  }
}

/** Returns the keys of a run's streams, which its metadata lists; null if it has none. */
export function streamsOf({ metadata }: Pick<RunRecord, "metadata">): string[] | null {
  if (!metadata?.includes(STREAMS_KEY)) return null;
  const keys = metadataOf(metadata).metadata?.[STREAMS_KEY];
  const known = Array.isArray(keys) ? keys.filter((key) => typeof key === "string") : [];
  return known.length > 0 ? [...new Set(known)] : null;
}
