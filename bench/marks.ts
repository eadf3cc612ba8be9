import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { now } from "./clock.ts";

/** Receives the start times that task functions send (`project/src/trigger/mark.ts`). */
export class Marks {
  readonly path: string;
  readonly #server: Server;
  /** Start of each run by its number, on the clock of `now`. */
  readonly #starts = new Map<number, number>();
  #waiting: { count: number; done(): void } | null = null;

  private constructor(path: string) {
    this.path = path;
    this.#server = createServer((socket) => {
      createInterface({ input: socket }).on("line", (line) => {
        const [i, at] = line.split(" ");
        this.#note(Number(i), Number(BigInt(at!)) / 1e6);
      });
    });
  }

  static async listen(path: string): Promise<Marks> {
    rmSync(path, { force: true });
    const marks = new Marks(path);
    await new Promise<void>((resolve) => marks.#server.listen(path, resolve));
    // A host that runs as root executes tasks as unprivileged users.
    chmodSync(dirname(path), 0o755);
    chmodSync(path, 0o777);
    return marks;
  }

  #note(i: number, at: number): void {
    // At least once: a function that ran twice counts by its first start.
    if (!this.#starts.has(i)) this.#starts.set(i, at);
    if (this.#waiting && this.#starts.size >= this.#waiting.count) this.#waiting.done();
  }

  /** Forgets what was heard. */
  clear(): void {
    this.#starts.clear();
  }

  /** Resolves with the starts by number once `count` different runs have started. @throws after `timeoutMs` */
  async until(count: number, timeoutMs = 120_000): Promise<Map<number, number>> {
    if (this.#starts.size < count) {
      const deadline = now() + timeoutMs;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${this.#starts.size} of ${count} runs had started after ${timeoutMs} ms.`)),
          Math.max(0, deadline - now()),
        );
        this.#waiting = {
          count,
          done: () => {
            clearTimeout(timer);
            this.#waiting = null;
            resolve();
          },
        };
      });
    }
    return new Map(this.#starts);
  }

  close(): void {
    this.#server.close();
    rmSync(this.path, { force: true });
  }
}
