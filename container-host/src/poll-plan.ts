import { LIMITS } from "@acme/sdk/contract";

/** The maximum number of concurrent polls: more would only make smaller batches. */
const MAX_POLLS = 3;

/**
 * A poll for a smaller share of the host's capacity than this is delayed for a moment, because more room
 * often follows.
 */
const WORTH_IT = 0.25;

/**
 * Decides the next poll. A poll can't be withdrawn (runs in transit to it would be lost until their lease
 * ends), so room that appears while polls wait is requested by another one.
 * @param room runs the host could take now
 * @param held runs the host has
 * @param waiting `max` of the polls that wait for an answer
 * @returns `max` of a poll to send now, null: none; 0 only listens for notices. `soon`: better in a moment, when there
 *   may be more room.
 */
export function nextPoll(
  room: number,
  held: number,
  waiting: readonly number[],
): { max: number; soon: boolean } | null {
  const asked = waiting.reduce((sum, max) => sum + max, 0);
  const free = Math.max(0, Math.min(LIMITS.dequeueBatch, room - asked));
  const isCrumb = free < (room + held) * WORTH_IT;
  if (waiting.length === 0) return { max: free, soon: isCrumb && free > 0 };
  if (free === 0 || waiting.length >= MAX_POLLS) return null;
  // Polls for very little room would follow each other, so room may grow first, unless no poll is open.
  if (asked > 0 && isCrumb) return null;
  return { max: free, soon: isCrumb };
}
