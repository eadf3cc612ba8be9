import { request } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { STREAM_LIMITS } from "../contract/stream-limits.ts";
import { unrecorded } from "../wait/durable.ts";

/** How long chunks are collected before they are sent together. */
const GATHER_MS = 20;
/**
 * The maximum number of characters of one request, and of chunks waiting for it: a faster source has to wait.
 */
const MAX_BATCH = 512 * 1024;
const MAX_WAITING = 4 * 1024 * 1024;
const RETRY = { maxAttempts: 10, factor: 2, minTimeoutInMs: 500, maxTimeoutInMs: 30_000 };

/**
 * Appends the chunks of one source to a stream of a run, in order and each once: the server knows the chunks
 * of this writer by their numbers, so a request that is sent again stores nothing twice. A replay of the run
 * has the same writer id, and so repeats nothing.
 */
export class StreamWriter {
  readonly #path: string;
  readonly #id: string;
  readonly #options: ApiRequestOptions | undefined;
  #waiting: string[] = [];
  #size = 0;
  #sent = 0;
  #sending: Promise<void> | null = null;
  #room: (() => void) | null = null;
  #error: unknown = null;

  constructor(path: string, id: string, options: ApiRequestOptions | undefined) {
    this.#path = path;
    this.#id = id;
    this.#options = options;
  }

  /**
   * Resolves when there is room for more. @throws Error for a chunk that is not JSON or is too large; the
   * ApiError of an earlier one
   */
  async write(chunk: unknown): Promise<void> {
    if (this.#error) throw this.#error;
    const line = JSON.stringify(chunk) ?? "null";
    if (line.length > STREAM_LIMITS.recordCharacters) {
      throw new Error(
        `A chunk of ${line.length} characters of JSON is too large for a stream: at most ${STREAM_LIMITS.recordCharacters}`,
      );
    }
    this.#waiting.push(`${line}\n`);
    this.#size += line.length;
    this.#sending ??= unrecorded(() => this.#send()).finally(() => {
      this.#sending = null;
    });
    if (this.#size > MAX_WAITING) {
      await new Promise<void>((resolve) => {
        this.#room = resolve;
      });
    }
  }

  /** Resolves when everything is stored. @throws ApiError or a subclass if something could not be stored */
  async finished(): Promise<void> {
    while (this.#sending) await this.#sending;
    if (this.#error) throw this.#error;
  }

  async #send(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    while (this.#waiting.length > 0 && !this.#error) {
      const lines = this.#take();
      const additionalHeaders = {
        ...this.#options?.additionalHeaders,
        "x-client-id": this.#id,
        "x-resume-from-chunk": String(this.#sent),
      };
      try {
        await request(
          { method: "POST", path: this.#path, lines },
          { ...this.#options, additionalHeaders, retry: RETRY },
        );
        this.#sent += lines.length;
      } catch (error) {
        this.#error = error;
      }
      this.#room?.();
      this.#room = null;
    }
  }

  #take(): string[] {
    let size = 0;
    let count = 0;
    for (const line of this.#waiting) {
      if (count > 0 && size + line.length > MAX_BATCH) break;
      size += line.length;
      count += 1;
    }
    this.#size -= size;
    return this.#waiting.splice(0, count);
  }
}
