import type { RunDetail } from "../api/environment-api.ts";
import { formatDuration } from "../format/time.ts";
import type { Trace } from "../trace/spans.ts";

/** Returns in one line what a run waits for; null if the status says everything. */
export function headlineOf(run: RunDetail, trace: Trace, now: number): string | null {
  if (run.isCompleted) return null;
  if (run.status === "DELAYED" && run.delayedUntil) {
    return `Starts in ${formatDuration(Date.parse(run.delayedUntil) - now)}; it holds no slot until then.`;
  }
  if (run.status === "WAITING") {
    const suspension = trace.suspensions.findLast(({ to }) => to === undefined);
    const waits = trace.spans.filter(
      ({ kind, end }) =>
        end === undefined && (kind === "wait" || kind === "token" || kind === "child" || kind === "batch"),
    );
    const until = waits.length === 1 ? waits[0]?.until : undefined;
    const wakes = until ? ` Wakes in ${formatDuration(until - now)}.` : "";
    const since = suspension ? `Suspended for ${formatDuration(now - suspension.from)}` : "Waits";
    const reason = suspension?.reason ?? waits.map(({ name }) => name).join(", ");
    return `${since}: waits for ${reason}. It holds no slot.${wakes}`;
  }
  if (run.status === "PENDING_VERSION")
    return `Waits for a deployment that has the task ${run.taskIdentifier}.`;
  if (run.status === "QUEUED") return `Waits for a slot in queue ${run.queue}.`;
  return null;
}
