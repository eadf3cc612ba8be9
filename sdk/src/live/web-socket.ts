import { LiveError } from "./live-error.ts";

/** @throws LiveError that says how to install a WebSocket */
async function fromPackage(): Promise<unknown> {
  // The name is in a variable so that bundlers for browsers, which have a WebSocket, do not look for the
  // package.
  const name = "ws";
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)).WebSocket;
  } catch {
    throw new LiveError(501, "no_websocket", "Node.js before 22 has no WebSocket: install `ws`");
  }
}

/** Returns the runtime's WebSocket, or the one of the package `ws`, which Node.js 18 and 20 need. */
export const findWebSocket = (): unknown =>
  (globalThis as { WebSocket?: unknown }).WebSocket ?? fromPackage();
