import { LIMITS } from "@acme/sdk/contract";

/** More polls than this at once only make smaller batches. */
const MAX_POLLS = 3;

/** A poll for less than this share of what the host can hold is held back for a moment: room comes in pieces. */
const WORTH_IT = 0.25;

/**
 * What to ask for next. A poll can't be taken back (runs on their way to it would be lost until their lease ends), so room
 * that appears while polls wait is asked for by another one.
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
  // A second poll for a crumb would be followed by a third: room is left to grow first, unless nobody asks at all.
  if (asked > 0 && isCrumb) return null;
  return { max: free, soon: isCrumb };
}
