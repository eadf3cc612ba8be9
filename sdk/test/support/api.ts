import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface ReceivedRequest {
  method: string;
  /** With query string. */
  path: string;
  headers: IncomingHttpHeaders;
  body: unknown;
}
export interface Answer {
  status?: number;
  headers?: Record<string, string>;
  /** Sent as JSON; a string is sent unchanged. */
  body?: unknown;
  /** Ends the connection without an answer. */
  hangUp?: boolean;
  /** Sent after the body, before the answer ends. */
  rest?: { after: Promise<void>; body: string };
  /** Never answers. */
  silent?: boolean;
}

/** A real HTTP server on a free port that answers by `answer` and remembers what it received. */
export async function apiServer(answer: (request: ReceivedRequest, count: number) => Answer) {
  const received: ReceivedRequest[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      received.push({ method, path, headers, body: parseBody(text, headers["content-type"]) });
      const {
        status = 200,
        headers: more,
        body,
        hangUp,
        silent,
        rest,
      } = answer(received.at(-1)!, received.length);
      if (silent) return;
      if (hangUp) {
        request.socket.destroy();
        return;
      }
      response.writeHead(status, { "content-type": "application/json", ...more });
      const shown = typeof body === "string" ? body : JSON.stringify(body);
      if (!rest) {
        response.end(shown);
        return;
      }
      response.write(shown);
      void rest.after.then(() => response.end(rest.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  /** Open connections. */
  const connections = () =>
    new Promise<number>((resolve, reject) => {
      server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
  return { connections, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

/** Newline-delimited JSON as a list. */
function parseBody(text: string, type: string | undefined): unknown {
  if (text === "") return undefined;
  if (type !== "application/x-ndjson") return JSON.parse(text);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}
