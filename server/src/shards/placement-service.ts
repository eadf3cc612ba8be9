import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import type { DataDir } from "../data-dir.ts";
import { messageOf } from "../errors.ts";
import { PLACEMENTS_SOCKET, type Shards } from "./shard.ts";
import { createSocketAddress } from "./socket-address.ts";

const PATH = /^\/(?<key>[0-9a-z]{8})(?:\/(?<type>[A-Z]{1,20}))?$/;

/**
 * Answers the Workers' questions about placements at a socket of the data folder: `GET /KEY` and
 * `PUT /KEY/TYPE` (see `ShardBindings`). Resolves when it listens, with the function that stops it.
 */
export function servePlacements({ root }: DataDir, { placements, all }: Shards): Promise<() => void> {
  const server = createServer((request, response) => {
    const { key, type } = PATH.exec(request.url ?? "")?.groups ?? {};
    if (key === undefined) return answer(response, 400, "Give the key of an environment");
    if (request.method === "GET") return answer(response, 200, String(placements.of(key)));
    if (request.method !== "PUT" || type === undefined)
      return answer(response, 400, "GET /KEY or PUT /KEY/TYPE");
    try {
      answer(response, 200, String(placements.place(key, type, all.length)));
    } catch (error) {
      answer(response, 500, messageOf(error));
    }
  });
  const address = createSocketAddress(join(root, PLACEMENTS_SOCKET));
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.path, () => {
      resolve(() => {
        server.close();
        server.closeAllConnections();
        address.release();
      });
    });
  });
}

function answer(response: ServerResponse<IncomingMessage>, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(text);
}
