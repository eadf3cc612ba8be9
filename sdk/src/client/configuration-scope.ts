import type { ApiClientConfiguration } from "./configuration.ts";

interface Storage {
  run<T>(store: ApiClientConfiguration, fn: () => T): T;
  getStore(): ApiClientConfiguration | undefined;
}

// Node, Bun, Deno and Workers have async-local storage. Browsers do not: there, concurrent `withAuth` calls
// affect each other.
function createStorage(): Storage {
  const process = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  const module = process?.getBuiltinModule?.("node:async_hooks") as
    | { AsyncLocalStorage: new () => Storage }
    | undefined;
  if (module?.AsyncLocalStorage) return new module.AsyncLocalStorage();
  let current: ApiClientConfiguration | undefined;
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

export const scopedConfiguration = (): ApiClientConfiguration | undefined => storage?.getStore();

/** Calls `fn`. Every API call that it makes, including those after an `await`, uses this configuration. */
export function withConfiguration<T>(config: ApiClientConfiguration, fn: () => T): T {
  storage ??= createStorage();
  return storage.run({ ...storage.getStore(), ...config }, fn);
}
