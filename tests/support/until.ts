import { vi } from "vitest";

/** Like `vi.waitUntil`, whose default of one second is too short on a busy machine. */
export const until = <T>(
  probe: () => T | Promise<T>,
  options: { timeout?: number; interval?: number } = {},
): Promise<Truthy<T>> => vi.waitUntil(probe, { timeout: 20_000, ...options }) as Promise<Truthy<T>>;

type Truthy<T> = T extends false | "" | 0 | null | undefined ? never : T;
