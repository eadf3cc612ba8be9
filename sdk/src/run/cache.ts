export interface CacheMetadata {
  /** Milliseconds since the epoch. */
  createdTime: number;
  ttl?: number | null;
}

export interface CacheEntry<Value = unknown> {
  metadata: CacheMetadata;
  value: Value;
}

type Eventually<Value> = Value | null | undefined | Promise<Value | null | undefined>;

/** Where `createCache` keeps values: a `Map` in memory, or anything else with these methods. */
export interface CacheStore<Value = unknown> {
  name?: string;
  get: (key: string) => Eventually<CacheEntry<Value>>;
  set: (key: string, value: CacheEntry<Value>) => unknown;
  delete: (key: string) => unknown;
}

export type CacheFunction = <Value>(cacheKey: string, fn: () => Promise<Value> | Value) => Promise<Value>;

/** Keeps values in the memory of a process, which is shared by runs of one version in one environment. */
export class InMemoryCache<Value = unknown> implements CacheStore<Value> {
  readonly #entries = new Map<string, CacheEntry<Value>>();

  get(key: string): CacheEntry<Value> | undefined {
    return this.#entries.get(key);
  }
  set(key: string, value: CacheEntry<Value>): void {
    this.#entries.set(key, value);
  }
  delete(key: string): void {
    this.#entries.delete(key);
  }
}

/**
 * Returns whether an entry with a `ttl` (milliseconds) has expired. A store may keep expired entries or drop
 * them itself.
 */
const isStale = ({ createdTime, ttl }: CacheMetadata): boolean =>
  typeof ttl === "number" && createdTime + ttl < Date.now();

/** Returns a function that calls another one only if the store has no value for the key. */
export function createCache(store: CacheStore): CacheFunction {
  return async <Value>(cacheKey: string, fn: () => Promise<Value> | Value): Promise<Value> => {
    const entry = await store.get(cacheKey);
    if (entry && !isStale(entry.metadata)) return entry.value as Value;
    const value = await fn();
    await store.set(cacheKey, { value, metadata: { createdTime: Date.now() } });
    return value;
  };
}
