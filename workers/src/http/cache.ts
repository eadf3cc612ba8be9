/** Caches values in this isolate for a while, so that a hot path does not query a database for them. */
export class Cache<T> {
  readonly #entries = new Map<string, { value: T; until: number }>();
  readonly #ttlMs: number;
  readonly #maxEntries: number;

  constructor(ttlMs: number, maxEntries = 10_000) {
    this.#ttlMs = ttlMs;
    this.#maxEntries = maxEntries;
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (entry.until > Date.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: T): T {
    if (this.#entries.size >= this.#maxEntries) this.#entries.clear();
    this.#entries.set(key, { value, until: Date.now() + this.#ttlMs });
    return value;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Returns the cached value, or loads it. Misses (null) are not cached. */
  async through(key: string, load: () => Promise<T | null>): Promise<T | null> {
    const known = this.get(key);
    if (known !== undefined) return known;
    const value = await load();
    return value === null ? null : this.set(key, value);
  }
}
