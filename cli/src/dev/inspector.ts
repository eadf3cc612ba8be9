import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { InspectedProcesses } from "@acme/container-host";
import { CliError } from "../errors.ts";

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 9229;

interface Target {
  id: string;
  url: string;
  since: number;
}

/** `--inspect`, `--inspect 9230` or `--inspect 0.0.0.0:9230`. @throws CliError */
export function inspectAddress(text: string | true): { host: string; port: number } {
  if (text === true) return { host: DEFAULT_HOST, port: DEFAULT_PORT };
  const [, host, port] = /^(?:(.+):)?(\d+)$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535)
    throw new CliError(`--inspect ${text}: give a port, or an address and a port like 127.0.0.1:9229.`);
  return { host: host ?? DEFAULT_HOST, port: Number(port) };
}

/**
 * One address for the debuggers of all task processes. Debuggers that follow a list of targets, such as
 * Chrome's for Node.js, stay attached when the processes of a new version replace those of the previous one.
 */
export class InspectorList implements InspectedProcesses {
  readonly #targets = new Map<number, Target>();
  readonly #server: Server;
  readonly #title: string;

  private constructor(title: string) {
    this.#title = title;
    this.#server = createServer((request, response) => {
      const answer = this.#answer(request.url ?? "");
      response.writeHead(answer === undefined ? 404 : 200, {
        "content-type": "application/json; charset=UTF-8",
      });
      response.end(JSON.stringify(answer ?? { error: "Ask for /json/list or /json/version" }));
    });
  }

  /** @throws CliError if the port is taken */
  static async open(address: { host: string; port: number }, title: string): Promise<InspectorList> {
    const list = new InspectorList(title);
    await new Promise<void>((resolve, reject) => {
      list.#server.once("error", (error: NodeJS.ErrnoException) => {
        const why =
          error.code === "EADDRINUSE"
            ? "another program, maybe another `acme dev --inspect`, uses it"
            : error.message;
        reject(
          new CliError(
            `Debuggers can't be served at ${address.host}:${address.port}: ${why}. Choose another port: --inspect 9230`,
          ),
        );
      });
      list.#server.listen(address.port, address.host, resolve);
    });
    list.#server.unref();
    return list;
  }

  /** `host:port` that it listens on. */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${address.includes(":") ? `[${address}]` : address}:${port}`;
  }

  opened(pid: number, url: string): void {
    this.#targets.set(pid, { id: url.split("/").at(-1) ?? String(pid), url, since: Date.now() });
  }

  closed(pid: number): void {
    this.#targets.delete(pid);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** The response of Node.js itself. */
  #answer(path: string): unknown {
    switch (path.replace(/\/$/, "")) {
      case "/json":
      case "/json/list":
        return [...this.#targets].map(([pid, target]) => this.#view(pid, target));
      case "/json/version":
        return { Browser: `node.js/${process.version}`, "Protocol-Version": "1.1" };
      default:
        return undefined;
    }
  }

  #view(pid: number, { id, url }: Target) {
    const socket = url.replace(/^ws:\/\//, "");
    return {
      description: "acme dev",
      devtoolsFrontendUrl: `devtools://devtools/bundled/js_app.html?experiments=true&v8only=true&ws=${socket}`,
      faviconUrl: "https://nodejs.org/static/images/favicons/favicon.ico",
      id,
      title: `${this.#title} (process ${pid})`,
      type: "node",
      url: "file://",
      webSocketDebuggerUrl: url,
    };
  }
}
