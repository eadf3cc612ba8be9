import { createRequire } from "node:module";
import { join } from "node:path";
import { type EngineRequest, quoted } from "./http-request.ts";

interface Result {
  readonly elapsed: number;
  readonly rowsRead: number;
  readonly bytesRead: number;
  bytes(): Uint8Array;
}

interface Session {
  queryAsync(query: string, options?: { format: string }): Promise<Result>;
  close(): void;
}

interface Chdb {
  Session: new (path: string) => Session;
}

export interface Answer {
  bytes: Uint8Array;
  rows: number;
  readBytes: number;
  elapsedNs: number;
}

/** An error that ClickHouse reported. */
export class EngineError extends Error {
  readonly code: number;
  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

/** More requests at once than libuv has threads would only wait for a thread. */
const AT_ONCE = 4;

/** ClickHouse in this process. A process has one data folder: the engine can't be opened for another. */
export class Engine {
  readonly #chdb: Chdb;
  readonly #path: string;
  /** Keeps the engine open between requests. */
  readonly #root: Session;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /**
   * @param folder where the engine is installed
   * @param path its data
   */
  constructor(folder: string, path: string) {
    this.#chdb = createRequire(join(folder, "package.json"))("chdb") as Chdb;
    this.#path = path;
    this.#root = new this.#chdb.Session(path);
  }

  /**
   * Runs one request in a separate connection, so that its settings and parameters affect no other request.
   */
  async run(request: EngineRequest): Promise<Answer> {
    await this.#turn();
    try {
      const session = new this.#chdb.Session(this.#path);
      try {
        if (request.database !== null) await session.queryAsync(`USE ${identifier(request.database)}`);
        for (const statement of request.before) await session.queryAsync(statement);
        const result = await session.queryAsync(request.query, { format: request.format });
        return {
          bytes: result.bytes(),
          rows: result.rowsRead,
          readBytes: result.bytesRead,
          elapsedNs: Math.round(result.elapsed * 1e9),
        };
      } finally {
        session.close();
      }
    } catch (error) {
      const { message, clickhouseCode } = error as Error & { clickhouseCode?: number };
      throw new EngineError(message, clickhouseCode ?? 1002);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  close(): void {
    this.#root.close();
  }

  async #turn(): Promise<void> {
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
  }
}

const identifier = (name: string): string => `\`${quoted(name).slice(1, -1).replaceAll("`", "\\`")}\``;
