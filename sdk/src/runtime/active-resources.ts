/** Over within this turn of the event loop: nothing that a run left under way. */
const MOMENTARY = "Immediate";

/**
 * What keeps the process busy: timers, sockets, requests, child processes. More of them than before a run began means that
 * the run left something under way.
 */
export class ActiveResources {
  #before = new Map<string, number>();

  constructor() {
    // Made when they are first used, which may be by a run.
    void process.stdout;
    void process.stderr;
  }

  /** A run is about to begin. */
  note(): void {
    this.#before = count();
  }

  /** There are more of some kind than at the last `note`. */
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
