import http from "node:http";
import https from "node:https";

const CLOSE_MS = 1_000;
/** Where Node keeps what its `fetch` sends with: made when `fetch` is first called, or when its http module is loaded. */
const DISPATCHERS = [Symbol.for("undici.globalDispatcher.1"), Symbol.for("undici.globalDispatcher.2")];

interface Dispatcher {
  close(): Promise<void>;
}
const holder = globalThis as unknown as Record<symbol, Dispatcher | undefined>;
const current = (): Dispatcher | undefined => DISPATCHERS.map((key) => holder[key]).find(Boolean);

/** Node's own: this module is loaded before the project's code, which may set another. */
let own = current();
let isKnown = own !== undefined;

/** `fetch` that notes what Node sends with, where that is made by its first call. */
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
 * Closes connections that `fetch`, `http` and `https` keep for later calls: a process that holds a connection can't be saved.
 * Those in use are left. Resolves within a second.
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
