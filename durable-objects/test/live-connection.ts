/** Connections to an environment's LiveObject, as the Worker opens them. */
import type { LiveServerMessage } from "@acme/sdk/contract/live";
import { LIVE_PRINCIPAL_HEADER } from "../src/live/access.ts";
import type { LivePrincipal } from "../src/live/rpc.ts";
import { bindings } from "./scene.ts";

export interface Client {
  socket: WebSocket;
  messages: LiveServerMessage[];
  closed: { code: number; reason: string } | null;
}

const clients: Client[] = [];

export function closeClients(): void {
  for (const { socket } of clients.splice(0)) socket.close();
}

const principal = (key: string, proof: string): LivePrincipal => ({
  environment: { key, id: `id of ${key}`, slug: "prod" },
  scopes: null,
  expiresAt: null,
  proof,
});

/** A number: the status of the answer that opens no connection. */
export async function connect(key: string, proof = "key k"): Promise<Client | number> {
  const headers = {
    upgrade: "websocket",
    [LIVE_PRINCIPAL_HEADER]: JSON.stringify(principal(key, proof)),
  };
  const response = await bindings.LIVE.getByName(key).fetch("https://live/", { headers });
  const { webSocket } = response;
  if (!webSocket) return response.status;
  const client: Client = { socket: webSocket, messages: [], closed: null };
  webSocket.addEventListener("message", ({ data }) => {
    client.messages.push(JSON.parse(String(data)));
  });
  webSocket.addEventListener("close", ({ code, reason }) => {
    client.closed = { code, reason };
    webSocket.close(1_000);
  });
  webSocket.accept();
  clients.push(client);
  return client;
}
