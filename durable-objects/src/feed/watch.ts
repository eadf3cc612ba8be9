import { log } from "../lib/log.ts";

const RETRY_MS = 500;
/**
 * A LiveObject that can't be reached for this long has lost its watchers; they reconnect and read what they
 * missed.
 */
const MAX_TRIES = 60;

/** A part of a feed: the items after `previous`, up to `last`. */
export interface Piece {
  previous: number;
  last: number;
}

/** A part of a feed that grows: its log, or one of its streams. */
export interface Watched<T extends Piece> {
  /** Returns the number of the last item. */
  last(): number;
  /** Returns null if there is nothing after this number. */
  after(sent: number): T | null;
  /**
   * Returns a piece without items, which says that the items up to this number exist. A watcher that lacks
   * some reads them.
   */
  upTo(last: number): T;
  /** Returns false if nobody watches any more. */
  send(piece: T): Promise<boolean>;
  /** Stores that nobody watches any more. */
  forget(): void;
}

/**
 * Sends new items of a feed to its watchers, in order, as they are stored. Whether there are watchers is
 * stored too, so it outlives the object. A watcher detects a lost item by its number and reads it.
 */
export class Watch<T extends Piece> {
  readonly #watched: Watched<T>;
  /** Items up to here were sent, or read by the latest watcher. */
  #sent: number;
  /**
   * True if it is not known whether those were sent, because an earlier life of the object may have ended
   * before it sent them.
   */
  #isDoubtful: boolean;
  #sending = false;
  /** Counts the watchers that were added. */
  #begun = 0;
  #over = false;

  /** `isStored`: there was a watcher in an earlier life of the object. */
  constructor(watched: Watched<T>, isStored: boolean) {
    this.#watched = watched;
    this.#sent = watched.last();
    this.#isDoubtful = isStored;
  }

  /** Adds a watcher. */
  join(): void {
    this.#begun += 1;
  }

  /** Stops sending, even if there are watchers. */
  end(): void {
    this.#over = true;
    this.#watched.forget();
  }

  /** Sends the items that were added, or that an earlier life of the object may not have sent. */
  async send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    let tries = 0;
    try {
      while (!this.#over) {
        // Each piece names the number before it, so any piece resolves the doubt.
        const piece =
          this.#watched.after(this.#sent) ?? (this.#isDoubtful ? this.#watched.upTo(this.#sent) : null);
        if (!piece) return;
        const begun = this.#begun;
        try {
          const isWatched = await this.#watched.send(piece);
          this.#sent = piece.last;
          this.#isDoubtful = false;
          tries = 0;
          // A watcher that was added meanwhile was not known when this was answered.
          if (!isWatched && begun === this.#begun) this.end();
        } catch (error) {
          tries += 1;
          if (tries === 1)
            log.error("A feed could not be sent to its watchers; it is tried again", { error });
          if (tries >= MAX_TRIES) this.end();
          else await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
      }
    } finally {
      this.#sending = false;
    }
  }
}
