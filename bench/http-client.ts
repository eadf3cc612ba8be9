import { type Dispatcher, Pool } from "undici";

export interface Answer {
  status: number;
  body: string;
}

/**
 * Requests over kept-alive connections, one for each request in flight. The same code generates the load for
 * every system. It shares the cores with what it measures, so it uses undici's lowest level: 20 µs of CPU per
 * request, where `node:http` takes 50.
 * @param origin such as http://127.0.0.1:8787
 */
export class HttpClient {
  readonly #pool: Pool;
  readonly #headers: Record<string, string>;

  constructor(origin: string, headers: Record<string, string> = {}) {
    // A run's long poll may take a minute; nothing here takes longer.
    this.#pool = new Pool(origin, { connections: 256, pipelining: 1, headersTimeout: 90_000 });
    this.#headers = headers;
  }

  get = (path: string): Promise<Answer> => this.#send({ method: "GET", path, headers: this.#headers });

  post = (path: string, body: string): Promise<Answer> => this.#withBody("POST", path, body);

  put = (path: string, body: string): Promise<Answer> => this.#withBody("PUT", path, body);

  #withBody(method: "POST" | "PUT", path: string, body: string): Promise<Answer> {
    const headers = { ...this.#headers, "content-type": "application/json" };
    return this.#send({ method, path, headers, body });
  }

  #send(options: Dispatcher.DispatchOptions): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let status = 0;
      this.#pool.dispatch(options, {
        // Marks this handler as one of undici's current kind.
        onRequestStart() {},
        onResponseStart(_controller, statusCode) {
          status = statusCode;
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk);
        },
        onResponseEnd() {
          resolve({ status, body: Buffer.concat(chunks).toString() });
        },
        onResponseError(_controller, error) {
          reject(error);
        },
      });
    });
  }

  close = (): Promise<void> => this.#pool.destroy();
}

/** Returns the body of an answer with this status. @throws with the answer if its status is another */
export function expected(answer: Answer, status: number): string {
  if (answer.status !== status) throw new Error(`Answered ${answer.status}: ${answer.body.slice(0, 500)}`);
  return answer.body;
}
