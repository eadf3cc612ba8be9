import { writeSync } from "node:fs";
import { connect, Socket } from "node:net";
import type { HostToRuntime, RuntimeToHost } from "../contract/runtime-protocol.ts";

/**
 * The duplex stream to the host: newline-delimited JSON. What is sent in one turn of the event loop goes out in one
 * write; what is still unsent when the process exits is written synchronously.
 */
export class Channel {
  readonly #socket: Socket;
  #unsent: string[] = [];
  #scheduled = false;
  #rest = "";

  constructor(address: string, onMessage: (message: HostToRuntime) => void, onEnd: () => void) {
    this.#socket = open(address);
    this.#socket.setEncoding("utf8");
    this.#socket.on("data", (chunk: string) => {
      let text = this.#rest === "" ? chunk : this.#rest + chunk;
      let start = 0;
      for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", start)) {
        if (end > start) onMessage(JSON.parse(text.slice(start, end)) as HostToRuntime);
        start = end + 1;
      }
      if (start > 0) text = text.slice(start);
      this.#rest = text;
    });
    this.#socket.on("end", onEnd);
    this.#socket.on("close", onEnd);
    this.#socket.on("error", (error) => {
      console.error(`The channel to the host (${address}) failed: ${error.message}`);
      onEnd();
    });
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
    if (this.#unsent.length > 0) this.#socket.write(this.#take());
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
    if (this.#unsent.length === 0 || this.#socket.writableLength > 0 || fd === undefined || fd < 0) return;
    let bytes = Buffer.from(this.#take());
    for (let tries = 0; bytes.length > 0 && tries < 1_000; tries++) {
      try {
        bytes = bytes.subarray(writeSync(fd, bytes));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
      }
    }
  }

  #take(): string {
    const text = this.#unsent.length === 0 ? "" : `${this.#unsent.join("\n")}\n`;
    this.#unsent = [];
    return text;
  }
}

function open(address: string): Socket {
  if (address.startsWith("unix:")) return connect(address.slice("unix:".length));
  const fd = /^fd:(\d+)$/.exec(address);
  if (fd) return new Socket({ fd: Number(fd[1]), readable: true, writable: true });
  throw new Error(`ACME_CHANNEL has to be "fd:N" or "unix:PATH", not "${address}"`);
}
