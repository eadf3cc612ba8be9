import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

export interface HttpAnswer {
  status: number;
  body: Buffer;
}

export interface HttpCall {
  method: "GET" | "POST";
  path: string;
  body?: string | Uint8Array;
  /** Headers that are added to, or replace, the client's own. */
  headers?: Record<string, string>;
  /** Milliseconds without an answer after which the call fails. */
  timeoutMs: number;
  signal?: AbortSignal;
  /** Bytes. */
  maxBytes?: number;
}

const MAX_ANSWER = 128 * 1024 * 1024;

/**
 * Calls to one server over connections that are kept. Built on node:http: measured here it takes less than half of the
 * CPU time of `fetch` for a small call.
 */
export class HttpClient {
  readonly #base: URL;
  readonly #prefix: string;
  readonly #headers: Record<string, string>;
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #request: typeof httpRequest;

  constructor(baseUrl: string, headers: Record<string, string>) {
    this.#base = new URL(baseUrl);
    this.#prefix = this.#base.pathname.replace(/\/+$/, "");
    this.#headers = headers;
    const secure = this.#base.protocol === "https:";
    this.#agent = new (secure ? HttpsAgent : HttpAgent)({ keepAlive: true });
    this.#request = secure ? httpsRequest : httpRequest;
  }

  /**
   * @throws Error if there is no complete answer: connection error, timeout, abort, size. Any status is an
   * answer.
   */
  call(call: HttpCall): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const request = this.#request({
        agent: this.#agent,
        host: this.#base.hostname.replace(/^\[|\]$/g, ""),
        port: this.#base.port || undefined,
        method: call.method,
        path: this.#prefix + call.path,
        headers: {
          ...this.#headers,
          ...call.headers,
          ...(call.body === undefined
            ? undefined
            : { "content-type": "application/json", "content-length": Buffer.byteLength(call.body) }),
        },
        signal: call.signal,
      });
      const timer = setTimeout(
        () => request.destroy(new Error(`No answer to ${call.path} within ${call.timeoutMs} ms`)),
        call.timeoutMs,
      );
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      request.on("error", fail);
      request.on("response", (response) => {
        collect(response, call.maxBytes ?? MAX_ANSWER).then((body) => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, body });
        }, fail);
      });
      request.end(call.body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function collect(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > maxBytes) response.destroy(new Error(`The answer has more than ${maxBytes} bytes`));
    });
    response.on("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    response.on("error", reject);
    response.on("aborted", () => reject(new Error("The connection ended in the middle of the answer")));
  });
}
