const SHORTEST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 250;
/** The length of a pause as a fraction of the time waited so far. */
const GROWTH = 1 / 8;

/**
 * Calls `probe` until it returns something other than undefined or false. The pauses between calls grow,
 * because each call to a server takes processor time that a busy machine lacks.
 * @throws Error naming `what` after `timeoutMs`
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 60_000,
): Promise<T> {
  const began = Date.now();
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    const waited = Date.now() - began;
    if (waited > timeoutMs) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    const pause = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, waited * GROWTH));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
