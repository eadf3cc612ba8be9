import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface ReceivedHook {
  headers: Record<string, string>;
  body: string;
}

/**
 * Receives webhooks. `/hook/NAME` stores requests; `?status=500` sets the response's status, with `?times=2`
 * only that often and then 200; `?silent=1` sends no response. `/received/NAME` returns the stored requests.
 */
export async function startWebhookReceiver(): Promise<{ origin: string; stop(): Promise<void> }> {
  const received = new Map<string, ReceivedHook[]>();
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://hooks");
    const [, action, name = ""] = url.pathname.split("/");
    const hooks = received.get(name) ?? [];
    if (action === "received") {
      response.end(JSON.stringify(hooks));
      return;
    }
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      received.set(name, [...hooks, { headers: request.headers as Record<string, string>, body }]);
      if (url.searchParams.has("silent")) return;
      const refuses = hooks.length < Number(url.searchParams.get("times") ?? Number.POSITIVE_INFINITY);
      const status = refuses ? Number(url.searchParams.get("status") ?? 200) : 200;
      response
        .writeHead(status, status >= 300 && status < 400 ? { location: "/hook/redirected" } : {})
        .end("thanks");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
