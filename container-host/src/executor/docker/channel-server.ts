import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type HostToRuntime, LIMITS, RuntimeToHost } from "@acme/sdk/contract";
import { LineReader } from "../../line-reader.ts";
import type { RuntimeEvents } from "../executor.ts";

export const SOCKET_NAME = "host.sock";
const MAX_LINE = 4 * LIMITS.outputBytes;
/** How long a connection may take to prove itself with `hello` before it is closed. */
const GREETING_MS = 10_000;
/** The maximum number of characters that wait for a runtime that is not connected. */
const MAX_UNSENT = 4 * LIMITS.outputBytes;

/**
 * The host's end of a container's channel: a Unix socket in a directory of its own that only this container sees. The
 * runtime proves itself by the channel's token, and may connect again (it closes the channel around checkpoints).
 */
export class ChannelServer {
  readonly #directory: string;
  readonly #token: string;
  readonly #events: Pick<RuntimeEvents, "onLine" | "onChannelError">;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #current: Socket | null = null;
  #unsent = "";
  #scheduled = false;

  constructor(directory: string, token: string, events: Pick<RuntimeEvents, "onLine" | "onChannelError">) {
    this.#directory = directory;
    this.#token = token;
    this.#events = events;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = 4;
  }

  async listen(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o755 });
    const path = join(this.#directory, SOCKET_NAME);
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(path, resolve);
    });
    // The container has another user; the parent directories keep all other users of this machine out.
    chmodSync(path, 0o666);
  }

  /** Closes all connections and accepts no new ones until `listen` is called again. Messages that are sent meanwhile wait. */
  async pause(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  send(message: HostToRuntime): void {
    this.#unsent += `${JSON.stringify(message)}\n`;
    if (this.#unsent.length > MAX_UNSENT && !this.#current) {
      this.#events.onChannelError("it does not connect, and more messages wait for it than are kept");
      return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#flush());
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #flush(): void {
    this.#scheduled = false;
    if (!this.#current || this.#unsent === "") return;
    const text = this.#unsent;
    this.#unsent = "";
    this.#current.write(text);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let greeted = false;
    const greeting = setTimeout(() => socket.destroy(), GREETING_MS);
    const reader = new LineReader((line) => {
      if (greeted) {
        if (socket === this.#current) this.#events.onLine(line);
        return;
      }
      if (!this.#isGreeting(line)) {
        socket.destroy();
        return;
      }
      greeted = true;
      clearTimeout(greeting);
      this.#current?.destroy();
      this.#current = socket;
      this.#events.onLine(line);
      this.#flush();
    }, MAX_LINE);
    socket.on("data", (chunk: Buffer) => {
      try {
        if (!socket.destroyed) reader.add(chunk);
      } catch (error) {
        socket.destroy();
        this.#events.onChannelError(error instanceof Error ? error.message : String(error));
      }
    });
    socket.on("error", () => {});
    // Messages that are sent from here on wait for the next connection.
    const over = () => {
      if (this.#current === socket) this.#current = null;
    };
    socket.on("end", over);
    socket.on("close", () => {
      clearTimeout(greeting);
      this.#sockets.delete(socket);
      over();
    });
  }

  #isGreeting(line: string): boolean {
    try {
      const message = RuntimeToHost.safeParse(JSON.parse(line)).data;
      return message?.type === "hello" && message.token === this.#token;
    } catch {
      return false;
    }
  }
}
