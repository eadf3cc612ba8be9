import { LIMITS } from "@acme/sdk/contract";

/** More polls than this at once only make smaller batches. */
const MAX_POLLS = 3;

/**
 * What to ask for next. A poll can't be taken back (runs on their way to it would be lost until their lease ends), so room
 * that appears while polls wait is asked for by another one.
 * @param room runs the host could take now
 * @param waiting `max` of the polls that wait for an answer
 * @returns `max` of a poll to send now, null: none. 0 only listens for notices.
 */
export function nextPoll(room: number, waiting: readonly number[]): number | null {
  const asked = waiting.reduce((sum, max) => sum + max, 0);
  const free = Math.min(LIMITS.dequeueBatch, room - asked);
  if (waiting.length === 0) return Math.max(0, free);
  if (free <= 0 || waiting.length >= MAX_POLLS) return null;
  // A second poll for a crumb would be followed by a third: room is left to grow first, unless nobody asks at all.
  if (asked > 0 && free * 4 < room) return null;
  return free;
}
