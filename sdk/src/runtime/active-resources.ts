/** A resource that ends within this turn of the event loop, so a run did not leave it behind. */
const MOMENTARY = "Immediate";

/**
 * Counts what keeps the process alive: timers, sockets, requests, child processes. If there is more than
 * before a run began, the run left something behind.
 */
export class ActiveResources {
  #before = new Map<string, number>();

  constructor() {
    // These streams are created when they are first used, which could be by a run.
    void process.stdout;
    void process.stderr;
  }

  /** Counts the resources, before a run begins. */
  note(): void {
    this.#before = count();
  }

  /** Returns true if there are more resources of some kind than at the last `note`. */
  hasMore(): boolean {
    for (const [kind, number] of count()) if (number > (this.#before.get(kind) ?? 0)) return true;
    return false;
  }
}

function count(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo())
    if (kind !== MOMENTARY) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
