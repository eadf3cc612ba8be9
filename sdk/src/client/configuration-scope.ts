import type { ApiClientConfiguration } from "./configuration.ts";

export interface ScopedConfiguration extends ApiClientConfiguration {
  /** True: the scope belongs to a separate client, so `configure()` and enclosing scopes do not apply. */
  isIsolated?: boolean;
  /** True: triggered runs are independent of the run in which the caller executes. */
  isDetached?: boolean;
}

interface Storage {
  run<T>(store: ScopedConfiguration, fn: () => T): T;
  getStore(): ScopedConfiguration | undefined;
}

// Node, Bun, Deno and Workers have async-local storage. Browsers do not: there, concurrent `withAuth` calls
// affect each other.
function createStorage(): Storage {
  const process = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  const module = process?.getBuiltinModule?.("node:async_hooks") as
    | { AsyncLocalStorage: new () => Storage }
    | undefined;
  if (module?.AsyncLocalStorage) return new module.AsyncLocalStorage();
  let current: ScopedConfiguration | undefined;
  return {
    run(store, fn) {
      const outer = current;
      current = store;
      const result = fn();
      const restore = () => {
        current = outer;
      };
      if (result instanceof Promise) result.then(restore, restore);
      else restore();
      return result;
    },
    getStore: () => current,
  };
}

let storage: Storage | undefined;

export const scopedConfiguration = (): ScopedConfiguration | undefined => storage?.getStore();

/** Calls `fn`. Every API call that it makes, including those after an `await`, uses this configuration. */
export function withConfiguration<T>(config: ScopedConfiguration, fn: () => T): T {
  storage ??= createStorage();
  return storage.run(config.isIsolated ? config : { ...storage.getStore(), ...config }, fn);
}
