import { LiveError } from "./live-error.ts";

/** @throws LiveError that says how to get one */
async function fromPackage(): Promise<unknown> {
  // A variable: bundlers of pages, which have a WebSocket, must not look for the package.
  const name = "ws";
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)).WebSocket;
  } catch {
    throw new LiveError(501, "no_websocket", "Node.js before 22 has no WebSocket: install `ws`");
  }
}

/** The runtime's WebSocket; or that of the package `ws`, which Node.js 18 and 20 need. */
export const findWebSocket = (): unknown =>
  (globalThis as { WebSocket?: unknown }).WebSocket ?? fromPackage();
