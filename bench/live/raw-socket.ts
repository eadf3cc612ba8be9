import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

const TEXT = 1;
const CLOSE = 8;

/**
 * A WebSocket that costs its process next to nothing: it finds the frames in the incoming bytes and passes
 * them on unparsed, without compression. An ordinary Node client spends more on a message than the server
 * does.
 */
export class RawSocket {
  readonly #socket: Socket;
  readonly #onText: (text: Buffer) => void;
  #rest: Buffer[] = [];
  #restLength = 0;
  /** Bytes without which there is no whole frame. */
  #needed = 2;
  #isOpen = false;
  closeCode: number | null = null;

  private constructor(socket: Socket, onText: (text: Buffer) => void) {
    this.#socket = socket;
    this.#onText = onText;
  }

  /** Rejects with what the server answered where that opens no WebSocket. */
  static open(url: URL, protocols: string[], onText: (text: Buffer) => void): Promise<RawSocket> {
    const socket = connect(Number(url.port), url.hostname);
    socket.setNoDelay(true);
    const raw = new RawSocket(socket, onText);
    socket.write(
      [
        `GET ${url.pathname}${url.search} HTTP/1.1`,
        `host: ${url.host}`,
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-version: 13",
        `sec-websocket-key: ${randomBytes(16).toString("base64")}`,
        `sec-websocket-protocol: ${protocols.join(", ")}`,
        "\r\n",
      ].join("\r\n"),
    );
    return new Promise((resolve, reject) => {
      let head = Buffer.alloc(0);
      const onError = (error: Error) => reject(error);
      const onClose = () => reject(new Error("the connection was closed"));
      const onData = (data: Buffer) => {
        head = Buffer.concat([head, data]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        socket.off("data", onData).off("error", onError).off("close", onClose);
        const status = head.toString("latin1", 0, head.indexOf("\r\n"));
        if (!status.includes(" 101 ")) {
          socket.destroy();
          reject(new Error(status));
          return;
        }
        raw.#isOpen = true;
        socket.on("data", (more: Buffer) => raw.#received(more));
        socket.on("error", () => {});
        socket.on("close", () => {
          raw.#isOpen = false;
        });
        resolve(raw);
        if (head.length > end + 4) raw.#received(head.subarray(end + 4));
      };
      socket.on("data", onData).on("error", onError).on("close", onClose);
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  send(text: string): void {
    const payload = Buffer.from(text);
    // A mask of zeros leaves the payload unchanged.
    const head =
      payload.length < 126
        ? Buffer.from([0x80 | TEXT, 0x80 | payload.length, 0, 0, 0, 0])
        : Buffer.from([0x80 | TEXT, 0x80 | 126, payload.length >> 8, payload.length & 255, 0, 0, 0, 0]);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  /** Stops to read: what the server sends piles up there. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  #received(data: Buffer): void {
    this.#rest.push(data);
    this.#restLength += data.length;
    if (this.#restLength < this.#needed) return;
    const bytes = this.#rest.length === 1 ? data : Buffer.concat(this.#rest, this.#restLength);
    let at = 0;
    for (;;) {
      const frame = frameAt(bytes, at);
      if (typeof frame === "number") {
        this.#needed = frame;
        break;
      }
      const { opcode, from, to } = frame;
      at = to;
      if (opcode === TEXT) this.#onText(bytes.subarray(from, to));
      else if (opcode === CLOSE) {
        this.closeCode = to - from >= 2 ? bytes.readUInt16BE(from) : 1005;
        this.destroy();
      }
    }
    this.#rest = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#restLength = bytes.length - at;
  }
}

/** Returns a whole frame, or how many bytes are needed from `at` on. */
function frameAt(bytes: Buffer, at: number): { opcode: number; from: number; to: number } | number {
  const left = bytes.length - at;
  if (left < 2) return 2;
  const opcode = bytes.readUInt8(at) & 15;
  const short = bytes.readUInt8(at + 1) & 127;
  const head = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (left < head) return head;
  const length =
    short === 127
      ? Number(bytes.readBigUInt64BE(at + 2))
      : short === 126
        ? bytes.readUInt16BE(at + 2)
        : short;
  if (left < head + length) return head + length;
  return { opcode, from: at + head, to: at + head + length };
}
