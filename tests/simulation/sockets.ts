import { type Faults, LONG_DELAY_MS } from "./faults.ts";
import type { World } from "./world.ts";

const CONNECTING = 0;
export const OPEN = 1;
const CLOSED = 3;
/** The code of a connection that broke. */
const BROKEN = 1006;
/** The maximum size of a socket's attachment on Cloudflare. */
const MAX_ATTACHMENT = 16_384;
/** How long a client may take to notice that its connection broke, unless it asks. */
const UNNOTICED_MS = 30_000;

type Frame = { text: string } | { code: number };

/** The end of a WebSocket that an object holds: it outlives the object's sleep, and closes when the object dies. */
export class ObjectSocket {
  readyState = OPEN;
  /** What was sent before the connection was open. */
  #early: Frame[] | null = [];
  #deliver: (frame: Frame) => void = () => {};
  #attachment: string | null = null;

  send(text: string): void {
    if (this.readyState !== OPEN) throw new Error("simulated: the socket is closed");
    this.#send({ text });
  }

  close(code = 1_000): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    this.#send({ code });
  }

  serializeAttachment(value: unknown): void {
    const text = JSON.stringify(value);
    if (text.length > MAX_ATTACHMENT) throw new Error("simulated: the attachment is too large");
    this.#attachment = text;
  }

  deserializeAttachment(): unknown {
    return this.#attachment === null ? null : JSON.parse(this.#attachment);
  }

  /** The connection is open: `deliver` receives messages, including those sent before. */
  open(deliver: (frame: Frame) => void): void {
    this.#deliver = deliver;
    for (const frame of this.#early ?? []) deliver(frame);
    this.#early = null;
  }

  #send(frame: Frame): void {
    if (this.#early) this.#early.push(frame);
    else this.#deliver(frame);
  }
}

/** What the network does with the object at the other end. */
interface Server {
  message(socket: ObjectSocket, text: string): void;
  closed(socket: ObjectSocket, code: number): void;
}

/**
 * One connection: two sequences of messages, each in order. It breaks occasionally: messages in flight are
 * lost, and each side notices some time later.
 */
export class Link {
  readonly #world: World;
  readonly #faults: () => Faults;
  readonly #server: Server;
  readonly #client: (frame: Frame) => void;
  readonly socket: ObjectSocket;
  #broken = false;
  /** When the last message of either direction arrives. */
  #clientAt = 0;
  #serverAt = 0;

  constructor(
    { world, faults }: { world: World; faults: () => Faults },
    socket: ObjectSocket,
    server: Server,
    client: (frame: Frame) => void,
  ) {
    this.#world = world;
    this.#faults = faults;
    this.socket = socket;
    this.#server = server;
    this.#client = client;
  }

  /** Opens the object's end, whose messages travel to the client from now on. */
  open(): void {
    this.socket.open((frame) => this.#toClient(frame));
  }

  /** A message from the client. */
  send(frame: Frame): void {
    if (this.#mayBreak()) return;
    this.#serverAt = this.#arrival(this.#serverAt);
    this.#at(this.#serverAt, () => {
      // The platform answers for the object, which can keep sleeping.
      if ("text" in frame && frame.text === "ping") this.#toClient({ text: "pong" });
      else if (this.socket.readyState !== OPEN) return;
      else if ("text" in frame) this.#server.message(this.socket, frame.text);
      else this.#closeServer(frame.code);
    });
  }

  /** The object died. */
  objectLost(): void {
    this.socket.readyState = CLOSED;
    if (this.#broken) return;
    this.#broken = true;
    this.#world.after(this.#world.random() * 1_000, () => this.#client({ code: BROKEN }));
  }

  /** The object notices nothing of this for up to two minutes, and the client for up to half a minute. */
  break(): void {
    if (this.#broken) return;
    this.#broken = true;
    const world = this.#world;
    world.after(world.random() * UNNOTICED_MS, () => this.#client({ code: BROKEN }));
    world.after(world.random() * LONG_DELAY_MS, () => this.#closeServer(BROKEN));
  }

  #closeServer(code: number): void {
    if (this.socket.readyState !== OPEN) return;
    this.#server.closed(this.socket, code);
  }

  #toClient(frame: Frame): void {
    if (this.#mayBreak()) return;
    this.#clientAt = this.#arrival(this.#clientAt);
    this.#at(this.#clientAt, () => {
      this.#world.note(`a client gets ${JSON.stringify(frame)}`);
      this.#client(frame);
    });
  }

  #mayBreak(): boolean {
    if (!this.#broken && this.#world.chance(this.#faults().lostReply / 2)) this.break();
    return this.#broken;
  }

  #arrival(previous: number): number {
    const { maxLatencyMs } = this.#faults();
    return Math.max(previous, this.#world.now + this.#world.random() * maxLatencyMs);
  }

  #at(time: number, work: () => void): void {
    this.#world.after(time - this.#world.now, () => {
      if (!this.#broken) work();
    });
  }
}

/** A client's end, as far as partysocket uses the standard's. */
export abstract class ClientSocket extends EventTarget {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = 2;
  static readonly CLOSED = CLOSED;
  readonly bufferedAmount = 0;
  readonly extensions = "";
  readonly protocol = "";
  binaryType = "blob";
  readyState = CONNECTING;
  readonly #link: Promise<Link>;

  constructor(_url: string, protocols: string[]) {
    super();
    this.#link = this.connect(protocols, (frame) => this.#received(frame));
    this.#link.then(
      (link) => {
        if (this.readyState === CLOSED) link.send({ code: 1_000 });
        else {
          this.readyState = OPEN;
          this.dispatchEvent(new Event("open"));
        }
        link.open();
      },
      () => this.#received({ code: BROKEN }),
    );
  }

  /** Rejects if no connection comes about. */
  protected abstract connect(protocols: string[], client: (frame: Frame) => void): Promise<Link>;

  send(text: string): void {
    if (this.readyState === OPEN) void this.#link.then((link) => link.send({ text }));
  }

  close(code = 1_000): void {
    if (this.readyState === CLOSED) return;
    this.readyState = CLOSED;
    void this.#link.then(
      (link) => link.send({ code }),
      () => {},
    );
  }

  #received(frame: Frame): void {
    if (this.readyState === CLOSED) return;
    if ("text" in frame) this.dispatchEvent(new MessageEvent("message", { data: frame.text }));
    else {
      this.readyState = CLOSED;
      this.dispatchEvent(Object.assign(new Event("close"), { code: frame.code, reason: "" }));
    }
  }
}

/** An answer that opens a WebSocket, which Node's own `Response` refuses to be. */
class UpgradeResponse extends Response {
  readonly object: ObjectSocket | null;

  constructor(
    body: BodyInit | null,
    init: Omit<ResponseInit, "webSocket"> & { webSocket?: ObjectSocket } = {},
  ) {
    const { webSocket, status, ...rest } = init;
    super(body, webSocket ? rest : { ...rest, status });
    this.object = webSocket ?? null;
  }
}

export const socketOf = (response: unknown): ObjectSocket | null =>
  response instanceof UpgradeResponse ? response.object : null;

// A pair has one end here: the receiver of the response connects its client to the end that the object holds.
Object.assign(globalThis, {
  Response: UpgradeResponse,
  WebSocketPair: class {
    readonly 0 = new ObjectSocket();
    readonly 1 = this[0];
  },
  WebSocketRequestResponsePair: class {},
});
