import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A server that counts the side effects of tasks: each `POST URL/NAME` is one effect. */
export interface EffectsServer {
  url: string;
  /** How often each effect was seen. */
  counts(): Record<string, number>;
  close(): void;
}

/** `host`: address to listen on; containers reach this machine by the address of their network. */
export async function startEffectsServer(host = "127.0.0.1"): Promise<EffectsServer> {
  const seen = new Map<string, number>();
  const server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? "").slice(1));
    seen.set(name, (seen.get(name) ?? 0) + 1);
    response.end(String(seen.get(name)));
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    counts: () => Object.fromEntries([...seen].sort()),
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
