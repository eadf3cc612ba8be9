import type { Queue } from "../api/environment-api.ts";
import { formatDuration } from "../format/time.ts";

/** As runs name it: `task/ID` for a task's own queue. */
export const nameOf = (queue: Pick<Queue, "type" | "name">): string =>
  queue.type === "task" ? `task/${queue.name}` : queue.name;

/** `10 / 1 m`; a dash where there is no limit. */
export function rateOf(rate: Queue["rateLimit"]["current"]): string {
  if (!rate) return "–";
  return `${rate.limit} / ${formatDuration(rate.period)}`;
}
