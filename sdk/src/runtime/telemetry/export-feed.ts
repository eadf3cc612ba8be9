import { runContext } from "../run-context.ts";

const FLUSH_MS = 1_000;
const MAX_BATCH = 512;

type Done = (result: { code: number; error?: Error }) => void;

/**
 * Gives records to exporters of the project, in batches. What they do is no part of a run: it makes no spans and no log lines there,
 * which would be exported again.
 */
export class ExportFeed<R> {
  readonly #exports: ((records: R[], done: Done) => void)[];
  readonly #setting: string;
  readonly #waiting: R[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #hasFailed = false;

  /** `setting`: where the exporters are in `telemetry`, for messages. */
  constructor(setting: string, exports: ((records: R[], done: Done) => void)[]) {
    this.#setting = setting;
    this.#exports = exports;
  }

  readonly add = (record: R): void => {
    this.#waiting.push(record);
    if (this.#waiting.length >= MAX_BATCH) this.flush();
    else {
      this.#timer ??= setTimeout(this.flush, FLUSH_MS);
      this.#timer.unref();
    }
  };

  readonly flush = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const records = this.#waiting.splice(0);
    if (records.length === 0) return;
    runContext.exit(() => {
      for (const export_ of this.#exports) {
        try {
          export_(records, ({ code, error }) => {
            if (code !== 0) this.#failed(error);
          });
        } catch (error) {
          this.#failed(error);
        }
      }
    });
  };

  /** What an exporter throws or refuses is said once. */
  #failed(error: unknown): void {
    if (!this.#hasFailed)
      runContext.exit(() => console.error(`An exporter of telemetry.${this.#setting} failed:`, error));
    this.#hasFailed = true;
  }
}
