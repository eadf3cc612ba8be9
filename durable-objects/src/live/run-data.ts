import { STREAMS_KEY, serializeError } from "@acme/sdk/contract";
import type { LiveRun, LiveRunData, RunSummary } from "@acme/sdk/contract/live";
import type { RunRecord, RunRow } from "../rpc.ts";

/** Payload, output and the like of a run. `payload` false: whoever gets it has it already, and it never changes. */
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

/** Nothing where it can't be read: one run never makes a list fail. */
function metadataOf(text: string | null): Pick<LiveRunData, "metadata"> {
  if (text === null) return {};
  try {
    return { metadata: JSON.parse(text) as Record<string, unknown> };
  } catch {
    return {};
  }
}

/** Keys of a run's streams, which its metadata lists; null: it has none. */
export function streamsOf({ metadata }: Pick<RunRecord, "metadata">): string[] | null {
  if (!metadata?.includes(STREAMS_KEY)) return null;
  const keys = metadataOf(metadata).metadata?.[STREAMS_KEY];
  const known = Array.isArray(keys) ? keys.filter((key) => typeof key === "string") : [];
  return known.length > 0 ? [...new Set(known)] : null;
}
