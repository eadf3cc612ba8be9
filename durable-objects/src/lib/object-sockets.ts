/** A hibernating WebSocket of an object. */
export interface ObjectSocket<Saved> {
  /** Does nothing if the socket is closed or closing: its client reconnects. */
  send(text: string): void;
  close(code: number, reason: string): void;
  /**
   * Stores what the connection needs when this object wakes up again. Returns false if it is too large, or
   * the socket is closed.
   */
  save(state: Saved): boolean;
}

/**
 * The sockets of one object. Each has one handle while the object is awake, so handles can be used as keys.
 */
export class ObjectSockets<Saved> {
  readonly #handles = new Map<WebSocket, ObjectSocket<Saved>>();

  get size(): number {
    return this.#handles.size;
  }

  of(socket: WebSocket): ObjectSocket<Saved> {
    let handle = this.#handles.get(socket);
    if (!handle) {
      handle = handleOf(socket);
      this.#handles.set(socket, handle);
    }
    return handle;
  }

  forget(socket: WebSocket): void {
    this.#handles.delete(socket);
  }
}

/** Returns what was stored with the socket; null if nothing was. */
export function savedOf<Saved>(socket: WebSocket): Saved | null {
  const saved = socket.deserializeAttachment() as string | null;
  return saved === null ? null : (JSON.parse(saved) as Saved);
}

/** Answers the other side's close. 1005 and 1006 mean that there was no code; they may not be sent. */
export const closeBack = (socket: WebSocket, code: number): void =>
  socket.close(code === 1005 || code === 1006 ? 1000 : code);

const handleOf = <Saved>(socket: WebSocket): ObjectSocket<Saved> => ({
  send: (text) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(text);
  },
  close: (code, reason) => socket.close(code, reason),
  save: (state) => {
    try {
      socket.serializeAttachment(JSON.stringify(state));
      return true;
    } catch {
      return false;
    }
  },
});
