import type { Duplex } from "node:stream";
import { type HostToRuntime, LIMITS } from "@acme/sdk/contract";
import { LineReader } from "../line-reader.ts";
import type { RuntimeEvents } from "./executor.ts";

/** An output may double in size as JSON. A longer line is not a message of the protocol. */
const MAX_LINE = 4 * LIMITS.outputBytes;

/** The host's end of a channel. What is sent in one turn of the event loop goes out in one write. */
export class Channel {
  readonly #stream: Duplex;
  #unsent = "";

  constructor(stream: Duplex, events: Pick<RuntimeEvents, "onLine" | "onChannelError">) {
    this.#stream = stream;
    const reader = new LineReader(events.onLine, MAX_LINE);
    stream.on("data", (chunk: Buffer) => {
      try {
        reader.add(chunk);
      } catch (error) {
        stream.destroy();
        events.onChannelError(error instanceof Error ? error.message : String(error));
      }
    });
    // A runtime that ends with messages unread causes an error here; its end is reported by `onExit`.
    stream.on("error", () => {});
  }

  send(message: HostToRuntime): void {
    if (this.#unsent === "") queueMicrotask(this.#flush);
    this.#unsent += `${JSON.stringify(message)}\n`;
  }

  close(): void {
    this.#stream.destroy();
  }

  readonly #flush = (): void => {
    const text = this.#unsent;
    this.#unsent = "";
    if (!this.#stream.destroyed) this.#stream.write(text);
  };
}
