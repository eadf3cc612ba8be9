/**
 * Keys by the time at which they are due, earliest first. A key can be in the heap several times; the caller
 * checks what it takes.
 */
export class TimeHeap {
  readonly #entries: { at: number; key: string }[] = [];

  /** Undefined when the heap is empty. */
  get earliest(): { at: number; key: string } | undefined {
    return this.#entries[0];
  }

  clear(): void {
    this.#entries.length = 0;
  }

  add(at: number, key: string): void {
    const entries = this.#entries;
    const added = { at, key };
    let index = entries.push(added) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = entries[parent] as typeof added;
      if (above.at <= at) break;
      entries[index] = above;
      index = parent;
    }
    entries[index] = added;
  }

  /** Takes out the earliest if it is due at `now`. */
  takeDue(now: number): { at: number; key: string } | undefined {
    const entries = this.#entries;
    const first = entries[0];
    if (first === undefined || first.at > now) return undefined;
    const last = entries.pop() as typeof first;
    if (entries.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= entries.length) break;
      const right = entries[child + 1];
      if (right && right.at < (entries[child] as typeof first).at) child += 1;
      const below = entries[child] as typeof first;
      if (below.at >= last.at) break;
      entries[index] = below;
      index = child;
    }
    entries[index] = last;
    return first;
  }
}
