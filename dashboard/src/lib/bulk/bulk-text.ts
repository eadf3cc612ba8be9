import type { BulkAction } from "../api/environment-api.ts";
import { formatCount, plural } from "../format/number.ts";

export const verbOf = ({ type }: Pick<BulkAction, "type">): string =>
  type === "REPLAY" ? "replayed" : "canceled";

/** `24 of 60 runs replayed, 2 failed`. */
export function progressText(action: Pick<BulkAction, "type" | "counts">): string {
  const { success, failure, total } = action.counts;
  const failed = failure > 0 ? `, ${formatCount(failure)} failed` : "";
  return `${formatCount(success)} of ${plural(total, "run")} ${verbOf(action)}${failed}`;
}

export const BULK_STATES: Readonly<Record<BulkAction["status"], { label: string; token: string }>> = {
  PENDING: { label: "Under way", token: "executing" },
  COMPLETED: { label: "Done", token: "completed" },
  ABORTED: { label: "Stopped", token: "canceled" },
};
