import http from "node:http";
import https from "node:https";

const CLOSE_MS = 1_000;
/**
 * Where Node keeps the dispatcher of its `fetch`, which is created by the first call, or when the http module
 * is loaded.
 */
const DISPATCHERS = [Symbol.for("undici.globalDispatcher.1"), Symbol.for("undici.globalDispatcher.2")];

interface Dispatcher {
  close(): Promise<void>;
}
const holder = globalThis as unknown as Record<symbol, Dispatcher | undefined>;
const current = (): Dispatcher | undefined => DISPATCHERS.map((key) => holder[key]).find(Boolean);

/** Node's own dispatcher. This module is loaded before the project's code, which may set another one. */
let own = current();
let isKnown = own !== undefined;

/** Returns a `fetch` that notes Node's dispatcher if its first call creates it. */
export const watched = (realFetch: typeof fetch): typeof fetch => {
  return (input, init) => {
    if (isKnown) return realFetch(input, init);
    isKnown = true;
    const isSet = current() !== undefined;
    const response = realFetch(input, init);
    if (!isSet) own = current();
    return response;
  };
};

/**
 * Closes the connections that `fetch`, `http` and `https` keep for later calls, because a process that holds
 * a connection cannot be saved. Connections in use are left open. Resolves within a second.
 */
export async function closeIdleConnections(): Promise<void> {
  for (const { freeSockets } of [http.globalAgent, https.globalAgent]) {
    for (const socket of Object.values(freeSockets).flat()) socket?.destroy();
  }
  const old = own;
  if (!old) return;
  const keys = DISPATCHERS.filter((key) => holder[key] === old);
  if (keys.length === 0) return;
  own = new (old.constructor as new () => Dispatcher)();
  for (const key of keys) holder[key] = own;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
  });
  await Promise.race([old.close().catch(() => {}), late]);
  clearTimeout(timer);
}
