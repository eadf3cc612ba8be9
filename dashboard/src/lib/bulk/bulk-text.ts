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

/** The parts of a progress bar. */
export const progressParts = ({ counts }: Pick<BulkAction, "counts">) => [
  { value: counts.success, color: "var(--completed)" },
  { value: counts.failure, color: "var(--failed)" },
];

type Progress = Pick<BulkAction, "type" | "status" | "counts" | "failures">;

/** Actions that were begun together, as one. Null until something is known of each of the `count` actions. */
export function together(actions: readonly Progress[], count: number): Progress | null {
  const [first] = actions;
  if (!first || actions.length < count) return null;
  const sum = (key: keyof BulkAction["counts"]) =>
    actions.reduce((total, { counts }) => total + counts[key], 0);
  const has = (status: BulkAction["status"]) => actions.some((action) => action.status === status);
  return {
    type: first.type,
    status: has("PENDING") ? "PENDING" : has("ABORTED") ? "ABORTED" : "COMPLETED",
    counts: { total: sum("total"), success: sum("success"), failure: sum("failure") },
    failures: actions.flatMap(({ failures }) => failures),
  };
}

export const BULK_STATES: Readonly<Record<BulkAction["status"], { label: string; token: string }>> = {
  PENDING: { label: "Under way", token: "executing" },
  COMPLETED: { label: "Done", token: "completed" },
  ABORTED: { label: "Stopped", token: "canceled" },
};
