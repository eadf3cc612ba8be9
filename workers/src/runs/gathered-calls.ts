import { waitUntil } from "cloudflare:workers";
import type { QueueDeclaration, QueueRef, TriggerItem, TriggerResult } from "@acme/durable-objects/rpc";

type Send = (
  target: QueueRef,
  declaration: QueueDeclaration,
  items: TriggerItem[],
) => Promise<TriggerResult[]>;

/** Items that are sent in one call, by the request that came first. */
interface Batch {
  openedAt: number;
  items: TriggerItem[];
  results: Promise<TriggerResult[]>;
}

interface Calls {
  underWay: number;
  open: Batch | null;
}

/** Turns of the event loop that a batch stays open for at most, while more items come. */
const MAX_TURNS = 8;
const MAX_ITEMS = 100;
/** The call's text is limited, and a large payload is cheap to send beside its own size. */
const LARGE_CHARACTERS = 16_384;
/** A batch that is open for longer has lost the request that was to send it. */
const STALE_MS = 200;
/** What a request waits for the call of another one, before it makes its own. */
const PATIENCE_MS = 5_000;

/**
 * Sends the triggers that reach this isolate for one queue at one moment in one call of the queue's object. A call costs
 * more than everything that the object does for one run.
 *
 * A trigger is sent at once while no other call to its queue is under way, so a client that is alone waits for nothing.
 * The request that opens a batch sends it for all. The others depend on it: if that call fails or does not answer, each
 * makes its own. Sending an item again is safe, because its run's id is in it.
 */
export class GatheredCalls {
  readonly #calls = new Map<string, Calls>();

  async send(
    send: Send,
    target: QueueRef,
    declaration: QueueDeclaration,
    item: TriggerItem,
  ): Promise<TriggerResult> {
    const alone = async () => (await send(target, declaration, [item]))[0] as TriggerResult;
    // The answer to a batch can't wait for the end of one of its runs.
    if (item.waitMs || (item.payload?.length ?? 0) + (item.metadata?.length ?? 0) > LARGE_CHARACTERS)
      return alone();
    const key = `${target.queueKey} ${declaration.promotion ?? 0}`;
    const calls = this.#callsOf(key);
    if (calls.underWay === 0) return this.#counted(key, calls, alone);
    const now = Date.now();
    const open = calls.open;
    if (open && open.items.length < MAX_ITEMS && now - open.openedAt < STALE_MS) {
      const index = open.items.push(item) - 1;
      const results = await inTime(open.results);
      return results?.[index] ?? alone();
    }
    const batch: Batch = { openedAt: now, items: [item], results: Promise.resolve([]) };
    calls.open = batch;
    batch.results = this.#counted(key, calls, async () => {
      await untilComplete(batch);
      if (calls.open === batch) calls.open = null;
      return send(target, declaration, batch.items);
    });
    // The others wait for this call, also when the client of this request has gone.
    waitUntil(batch.results.catch(() => {}));
    try {
      return (await batch.results)[0] as TriggerResult;
    } catch (error) {
      if (batch.items.length === 1) throw error;
      return alone();
    }
  }

  #callsOf(key: string): Calls {
    let calls = this.#calls.get(key);
    if (!calls) {
      calls = { underWay: 0, open: null };
      this.#calls.set(key, calls);
    }
    return calls;
  }

  async #counted<T>(key: string, calls: Calls, call: () => Promise<T>): Promise<T> {
    calls.underWay += 1;
    try {
      return await call();
    } finally {
      calls.underWay -= 1;
      if (calls.underWay === 0 && !calls.open) this.#calls.delete(key);
    }
  }
}

/** Waits while more items come. */
async function untilComplete(batch: Batch): Promise<void> {
  for (let turn = 0, before = 0; turn < MAX_TURNS && batch.items.length > before; turn++) {
    before = batch.items.length;
    await scheduler.wait(0);
  }
}

/** Null: the call failed, or has not answered in time. */
function inTime<T>(results: Promise<T>): Promise<T | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), PATIENCE_MS);
    const settle = (value: T | null) => {
      clearTimeout(timer);
      resolve(value);
    };
    results.then(settle, () => settle(null));
  });
}
