const RETRY_MS = 500;
/** A LiveObject that can't be reached for this long has lost its watchers, who come back and ask. */
const MAX_TRIES = 60;

/** A part of a feed: the items after `previous`, up to `last`. */
export interface Piece {
  previous: number;
  last: number;
}

/** A part of a feed that grows: its log, or one of its streams. */
export interface Watched<T extends Piece> {
  /** Number of the last item. */
  last(): number;
  /** Null: there is nothing after this number. */
  after(sent: number): T | null;
  /** Without items: says that those up to this number exist. Whoever lacks some asks for them. */
  upTo(last: number): T;
  /** False: nobody watches any more. */
  send(piece: T): Promise<boolean>;
  /** Nobody watches any more; that is stored. */
  forget(): void;
}

/**
 * Sends new items of a feed to whoever watches them, in order, as they are stored. That somebody watches is stored too:
 * it outlives the object. An item that is lost on the way is missed by its number, and asked for.
 */
export class Watch<T extends Piece> {
  readonly #watched: Watched<T>;
  /** Items up to here were sent, or read by whoever began to watch. */
  #sent: number;
  /** Whether those were sent is not known: an earlier life of the object may have ended before it sent them. */
  #isDoubtful: boolean;
  #sending = false;
  /** Counts who began to watch. */
  #begun = 0;
  #over = false;

  /** `isStored`: somebody watched already in an earlier life of the object. */
  constructor(watched: Watched<T>, isStored: boolean) {
    this.#watched = watched;
    this.#sent = watched.last();
    this.#isDoubtful = isStored;
  }

  /** Somebody else watches as well. */
  join(): void {
    this.#begun += 1;
  }

  /** Nothing more is sent, whoever watches. */
  end(): void {
    this.#over = true;
    this.#watched.forget();
  }

  /** Sends the items that were added, or that an earlier life of the object may have kept to itself. */
  async send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    let tries = 0;
    try {
      while (!this.#over) {
        // Each piece names the number before it, so what was in doubt is settled by any of them.
        const piece =
          this.#watched.after(this.#sent) ?? (this.#isDoubtful ? this.#watched.upTo(this.#sent) : null);
        if (!piece) return;
        const begun = this.#begun;
        try {
          const isWatched = await this.#watched.send(piece);
          this.#sent = piece.last;
          this.#isDoubtful = false;
          tries = 0;
          // Somebody who began meanwhile was not known of when this was answered.
          if (!isWatched && begun === this.#begun) this.end();
        } catch (error) {
          tries += 1;
          if (tries === 1)
            console.error("A feed could not be sent to its watchers; it is tried again", error);
          if (tries >= MAX_TRIES) this.end();
          else await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
      }
    } finally {
      this.#sending = false;
    }
  }
}
