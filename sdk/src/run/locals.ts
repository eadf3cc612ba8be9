import { currentRun } from "./state.ts";

/** The key of a value that exists for the duration of one attempt. */
export interface LocalsKey<T> {
  readonly __type: symbol;
  readonly id: string;
  // Never set: carries the type.
  readonly __value?: T;
}

/** Values that the hooks, middleware and function of one attempt share. Outside of a task there are none. */
export const locals = {
  /** Keys with the same id are the same key. */
  create: <T>(id: string): LocalsKey<T> => ({ __type: Symbol.for(id), id }),
  get: <T>(key: LocalsKey<T>): T | undefined => currentRun()?.locals.get(key.__type) as T | undefined,
  /** @throws Error if the key was not set in this attempt */
  getOrThrow: <T>(key: LocalsKey<T>): T => {
    const store = currentRun()?.locals;
    if (!store?.has(key.__type))
      throw new Error(
        `The local "${key.id}" was not set in this attempt: call locals.set() first, in init or a middleware for instance`,
      );
    return store.get(key.__type) as T;
  },
  /** @returns the value */
  set: <T>(key: LocalsKey<T>, value: T): T => {
    currentRun()?.locals.set(key.__type, value);
    return value;
  },
};
