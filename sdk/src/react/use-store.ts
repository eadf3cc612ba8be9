import { useCallback, useMemo, useSyncExternalStore } from "react";
import type { LiveStore } from "../live/store.ts";

/**
 * Returns the previous list if it has the same items, because components often create an equal list at each
 * render.
 */
export function useSame<T extends string>(list: readonly T[] | undefined): T[] | undefined {
  const text = list?.join();
  return useMemo(() => (text === undefined ? undefined : (text.split(",").filter(Boolean) as T[])), [text]);
}

/**
 * Returns the state of a store. `create` makes the store, and makes a new one when one of `keys` changes.
 * Without a store the state is `empty`.
 */
export function useStore<S>(
  create: () => LiveStore<S> | null,
  empty: S,
  keys: readonly unknown[],
): S & { stop: () => void } {
  // biome-ignore lint/correctness/useExhaustiveDependencies: the caller names what the store depends on.
  const store = useMemo(create, keys);
  const subscribe = useCallback((listener: () => void) => store?.subscribe(listener) ?? (() => {}), [store]);
  const get = useCallback(() => store?.get() ?? empty, [store, empty]);
  const state = useSyncExternalStore(subscribe, get, get);
  const stop = useCallback(() => store?.stop(), [store]);
  return { ...state, stop };
}
