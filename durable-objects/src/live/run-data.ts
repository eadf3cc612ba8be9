import { serializeError } from "@acme/sdk/contract";
import type { LiveRun, LiveRunData, RunSummary } from "@acme/sdk/contract/live";
import type { RunRecord, RunRow } from "../rpc.ts";

/** Payload, output and the like of a run. `payload` false: whoever gets it has it already, and it never changes. */
export function dataOf(run: RunRecord, payload: boolean): LiveRunData {
  return {
    ...(payload && run.payload !== null ? { payload: { data: run.payload, dataType: run.payloadType } } : {}),
    ...(run.output !== null
      ? { output: { data: run.output, dataType: run.outputType ?? "application/json" } }
      : {}),
    ...(run.metadata !== null ? { metadata: JSON.parse(run.metadata) as Record<string, unknown> } : {}),
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
