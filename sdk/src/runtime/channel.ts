import { writeSync } from "node:fs";
import { connect, Socket } from "node:net";
import type { HostToRuntime, RuntimeToHost } from "../contract/runtime-protocol.ts";

type Started = Extract<RuntimeToHost, { type: "started" }>;

const RECONNECT_MS = 50;
/**
 * A host that has not answered after this many connections is gone. Time during which this process is frozen
 * does not count.
 */
const MAX_CONNECTIONS = 12_000;

/**
 * The duplex stream to the host: newline-delimited JSON. Messages of one turn of the event loop are sent in
 * one write. Messages that are still unsent when the process exits are written synchronously.
 */
export class Channel {
  readonly #address: string;
  readonly #hello: string;
  readonly #onMessage: (message: HostToRuntime) => void;
  readonly #onEnd: () => void;
  #socket: Socket;
  #unsent: string[] = [];
  /** Goes before whatever is sent next. */
  #held: Started | undefined;
  #scheduled = false;
  #rest = "";
  /** True while the host has not answered on this connection: nothing but `hello` is sent. */
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
   * Closes the stream after everything sent has reached the host, and reconnects until the host answers. By
   * then the process may have been saved, moved and restored.
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

  /**
   * Sends the start of a run in the next turn of the event loop, or before anything that is sent earlier, unless `takeHeld`
   * takes it back until then.
   */
  hold(message: Started): void {
    this.#release();
    this.#held = message;
    this.#schedule();
  }

  /** Returns the start of this run if it is held; it is not sent then. */
  takeHeld(runId: string): Started | undefined {
    if (this.#held?.runId !== runId) return undefined;
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  /** `line`: the JSON text of a RuntimeToHost message. */
  sendLine(line: string): void {
    this.#release();
    this.#unsent.push(line);
    this.#schedule();
  }

  #release(): void {
    if (this.#held) this.#unsent.push(JSON.stringify(this.#held));
    this.#held = undefined;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.flush);
  }

  /** Hands everything unsent to the operating system or its buffer. */
  readonly flush = (): void => {
    this.#scheduled = false;
    this.#release();
    if (this.#unsent.length > 0 && !this.#away) this.#socket.write(this.#take());
  };

  /** Resolves when everything sent was handed to the operating system. */
  drained(): Promise<void> {
    return new Promise((resolve) => this.#socket.write(this.#take(), () => resolve()));
  }

  /** From now on, the channel does not keep the process alive. */
  unref(): void {
    this.#socket.unref();
  }

  /**
   * Writes unsent messages synchronously, for the `exit` event, after which nothing asynchronous happens.
   * Best effort.
   */
  flushSync(): void {
    this.#release();
    const fd = (this.#socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
    // If the stream still holds bytes, writing past it would tear a line apart.
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
      // Data on the old connection was sent before the host knew of the new one.
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
    this.#release();
    const text = this.#unsent.length === 0 ? "" : `${this.#unsent.join("\n")}\n`;
    this.#unsent = [];
    return text;
  }
}

/**
 * Closes this end, and destroys the socket after the other side has closed its end: writing to a destroyed
 * socket would fail there, and the other side would lose what it has not read.
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
