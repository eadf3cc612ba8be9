import { unrecorded } from "../wait/durable.ts";

/** Calls that come sooner after the last one give way to nothing: they cost next to nothing. */
const YIELD_MS = 50;

let yieldedAt = Number.NEGATIVE_INFINITY;
let last: Date | undefined;

/** Lets everything else run that is due: timers, messages of the host, logs that wait to be sent. */
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => void };
    if (setImmediate) setImmediate(resolve);
    else setTimeout(resolve, 0);
  });

export const heartbeats = {
  /**
   * For loops that compute for long without waiting for anything: gives way to all else in the process, so that the run can be
   * canceled, and its logs are sent. Call it as often as you like.
   */
  async yield(): Promise<void> {
    if (performance.now() - yieldedAt < YIELD_MS) return;
    await turn();
    yieldedAt = performance.now();
    last = unrecorded(() => new Date());
  },
  /** When `yield` gave way last, in this process. */
  getLastHeartbeat: (): Date | undefined => last,
};
