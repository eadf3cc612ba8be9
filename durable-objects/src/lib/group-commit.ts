/** Event loop turns that a round gathers at most, so that a steady stream can't hold it open. */
const MAX_TURNS = 8;

/**
 * Collects the operations that reach an object at one moment and applies them in one transaction, with one flush to
 * disk. Locally a commit costs about one fsync, so this decides an object's throughput.
 *
 * The first operation opens a round; those that arrive in the next turns of the event loop join it. Replies leave once the
 * commit is durable (the platform's output gate).
 */
export class GroupCommit<Context> {
  readonly #commit: (work: (context: Context) => void) => void;
  #round: Operation<Context>[] = [];

  /** `commit` runs its argument in one transaction and throws if it throws, with nothing kept. */
  constructor(commit: (work: (context: Context) => void) => void) {
    this.#commit = commit;
  }

  /** Runs `work` in the next commit. It must be synchronous, and check before it writes. */
  run<T>(work: (context: Context) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#round.push(operation(work, resolve, reject));
      if (this.#round.length === 1) void this.#gather();
    });
  }

  /** Waits while more operations arrive: under load a commit carries those of all clients, and a lone one waits one turn. */
  async #gather(): Promise<void> {
    for (let turn = 0, before = 0; turn < MAX_TURNS && this.#round.length > before; turn++) {
      before = this.#round.length;
      await scheduler.wait(0);
    }
    this.#flush();
  }

  #flush(): void {
    const round = this.#round;
    this.#round = [];
    try {
      this.#commit((context) => {
        for (const op of round) op.apply(context);
      });
      for (const op of round) op.done();
    } catch (error) {
      if (round.length === 1) {
        round[0]?.failed(error);
        return;
      }
      // One operation failed, and the others were rolled back with it: each gets a commit of its own.
      for (const op of round) {
        try {
          this.#commit((context) => op.apply(context));
          op.done();
        } catch (own) {
          op.failed(own);
        }
      }
    }
  }
}

interface Operation<Context> {
  apply(context: Context): void;
  done(): void;
  failed(error: unknown): void;
}

function operation<Context, T>(
  work: (context: Context) => T,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): Operation<Context> {
  let result: T;
  return {
    apply(context) {
      result = work(context);
    },
    done: () => resolve(result),
    failed: reject,
  };
}
