import { unrecorded } from "../wait/durable.ts";

/** Calls within this time after the last one return immediately, so frequent calls are cheap. */
const YIELD_MS = 50;

let yieldedAt = Number.NEGATIVE_INFINITY;
let last: Date | undefined;

/** Lets other due work run: timers, messages of the host, logs that are waiting to be sent. */
const turn = (): Promise<void> =>
  new Promise((resolve) => {
    const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => void };
    if (setImmediate) setImmediate(resolve);
    else setTimeout(resolve, 0);
  });

export const heartbeats = {
  /**
   * For loops that compute for a long time without awaiting anything: yields to all other work in the
   * process, so that the run can be canceled and its logs are sent. It can be called as often as you like.
   */
  async yield(): Promise<void> {
    if (performance.now() - yieldedAt < YIELD_MS) return;
    await turn();
    yieldedAt = performance.now();
    last = unrecorded(() => new Date());
  },
  /** When `yield` last yielded in this process. */
  getLastHeartbeat: (): Date | undefined => last,
};
