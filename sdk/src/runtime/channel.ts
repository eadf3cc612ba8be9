import { writeSync } from "node:fs";
import { connect, Socket } from "node:net";
import type { HostToRuntime, RuntimeToHost } from "../contract/runtime-protocol.ts";

const RECONNECT_MS = 50;
/** A host that has not answered after so many connections is gone. Only what this process itself lives through counts. */
const MAX_CONNECTIONS = 12_000;

/**
 * The duplex stream to the host: newline-delimited JSON. What is sent in one turn of the event loop goes out in one
 * write; what is still unsent when the process exits is written synchronously.
 */
export class Channel {
  readonly #address: string;
  readonly #hello: string;
  readonly #onMessage: (message: HostToRuntime) => void;
  readonly #onEnd: () => void;
  #socket: Socket;
  #unsent: string[] = [];
  #scheduled = false;
  #rest = "";
  /** The host has not answered on this connection yet: nothing but `hello` goes out. */
  #away = false;

  /** `hello` is the first line of every connection. `onEnd`: the host is gone. */
  constructor(
    address: string,
    hello: RuntimeToHost,
    onMessage: (message: HostToRuntime) => void,
    onEnd: () => void,
  ) {
    this.#address = address;
    this.#hello = `${JSON.stringify(hello)}\n`;
    this.#onMessage = onMessage;
    this.#onEnd = onEnd;
    this.#socket = open(address);
    this.#socket.on("error", (error) => {
      console.error(`The channel to the host (${address}) failed: ${error.message}`);
    });
    this.#socket.write(this.#hello);
    this.#listen(this.#socket, onEnd);
  }

  get canReconnect(): boolean {
    return this.#address.startsWith("unix:");
  }

  /**
   * Closes the stream once everything sent has reached the host, and connects again and again until the host answers. By then the
   * process may have been saved, moved and restored.
   */
  async reconnect(): Promise<void> {
    const old = this.#socket;
    const drained = this.drained();
    this.#away = true;
    await drained;
    old.removeAllListeners("close").removeAllListeners("end");
    await endedByBoth(old);
    this.#rest = "";
    this.#connectLater(1);
  }

  send(message: RuntimeToHost): void {
    this.sendLine(JSON.stringify(message));
  }

  /** `line`: the JSON text of a RuntimeToHost message. */
  sendLine(line: string): void {
    this.#unsent.push(line);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.flush);
  }

  /** Hands everything unsent to the operating system or its buffer. */
  readonly flush = (): void => {
    this.#scheduled = false;
    if (this.#unsent.length > 0 && !this.#away) this.#socket.write(this.#take());
  };

  /** Resolves when everything sent was handed to the operating system. */
  drained(): Promise<void> {
    return new Promise((resolve) => this.#socket.write(this.#take(), () => resolve()));
  }

  /** From now on the channel alone does not keep the process alive. */
  unref(): void {
    this.#socket.unref();
  }

  /** For the `exit` event, when nothing asynchronous happens any more. Best effort. */
  flushSync(): void {
    const fd = (this.#socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
    // Behind bytes that the stream still holds nothing can be written without tearing a line apart.
    if (this.#away || this.#unsent.length === 0 || this.#socket.writableLength > 0) return;
    if (fd === undefined || fd < 0) return;
    let bytes = Buffer.from(this.#take());
    for (let tries = 0; bytes.length > 0 && tries < 1_000; tries++) {
      try {
        bytes = bytes.subarray(writeSync(fd, bytes));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      }
    }
  }

  #connectLater(connections: number): void {
    if (connections > MAX_CONNECTIONS) {
      this.#onEnd();
      return;
    }
    setTimeout(() => {
      const socket = open(this.#address);
      let over = false;
      socket.on("error", () => {});
      socket.on("connect", () => socket.write(this.#hello));
      this.#listen(socket, () => {
        if (over) return;
        over = true;
        socket.destroy();
        if (this.#socket === socket) this.#onEnd();
        else this.#connectLater(connections + 1);
      });
    }, RECONNECT_MS);
  }

  #listen(socket: Socket, onEnd: () => void): void {
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      // What comes on the old one was sent before the host knew.
      if (this.#away && socket !== this.#socket) {
        this.#away = false;
        this.#socket = socket;
        this.flush();
      }
      this.#receive(chunk);
    });
    socket.on("end", onEnd);
    socket.on("close", onEnd);
  }

  #receive(chunk: string): void {
    let text = this.#rest === "" ? chunk : this.#rest + chunk;
    let start = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
      if (end > start) this.#onMessage(JSON.parse(text.slice(start, end)) as HostToRuntime);
      start = end + 1;
    }
    if (start > 0) text = text.slice(start);
    this.#rest = text;
  }

  #take(): string {
    const text = this.#unsent.length === 0 ? "" : `${this.#unsent.join("\n")}\n`;
    this.#unsent = [];
    return text;
  }
}

/**
 * Closes this end, and the socket once the other side has closed its own: one that writes to a closed socket gets an error,
 * and with that loses what it has not read.
 */
async function endedByBoth(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once("end", resolve).once("close", resolve);
    socket.end();
  });
  socket.destroy();
}

function open(address: string): Socket {
  if (address.startsWith("unix:")) return connect(address.slice("unix:".length));
  const fd = /^fd:(\d+)$/.exec(address);
  if (fd) return new Socket({ fd: Number(fd[1]), readable: true, writable: true });
  throw new Error(`ACME_CHANNEL has to be "fd:N" or "unix:PATH", not "${address}"`);
}
