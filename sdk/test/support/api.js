import { createServer } from "node:http";
import { onTestFinished } from "vitest";
/** A real HTTP server on a free port that answers by `answer` and remembers what it received. */
export async function apiServer(answer) {
  const received = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk) => {
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
      } = answer(received.at(-1), received.length);
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
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  /** Open ones. */
  const connections = () =>
    new Promise((resolve, reject) => {
      server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
    });
  return { connections, url: `http://127.0.0.1:${server.address().port}`, received };
}
/** Newline-delimited JSON as a list. */
function parseBody(text, type) {
  if (text === "") return undefined;
  if (type !== "application/x-ndjson") return JSON.parse(text);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
