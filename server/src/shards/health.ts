import { request } from "node:http";
import { text } from "node:stream/consumers";
import type { AskHealth } from "../api.ts";
import { socketAddress } from "./socket-address.ts";

/** Asks one process for its health: at the public port, the kernel chooses which one answers. */
export const healthAtSocket =
  (socket: string): AskHealth =>
  (signal) =>
    new Promise((resolve, reject) => {
      const address = socketAddress(socket);
      const asked = request({ socketPath: address.path, path: "/healthz", signal }, (response) => {
        text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
      });
      asked.once("error", reject).once("close", address.release).end();
    });
