import { Agent, request } from "node:http";

export interface Answer {
  status: number;
  body: string;
}

/**
 * Requests over kept-alive connections, one for each request in flight. The same code loads every system.
 * @param origin such as http://127.0.0.1:8787
 */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256, scheduling: "lifo" });
  readonly #host: string;
  readonly #port: number;
  readonly #headers: Record<string, string>;

  constructor(origin: string, headers: Record<string, string> = {}) {
    const url = new URL(origin);
    this.#host = url.hostname;
    this.#port = Number(url.port);
    this.#headers = headers;
  }

  get = (path: string): Promise<Answer> => this.#send("GET", path);
  post = (path: string, body: string): Promise<Answer> => this.#send("POST", path, body);

  #send(method: string, path: string, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string | number> = { ...this.#headers };
      if (body !== undefined) {
        headers["content-type"] = "application/json";
        headers["content-length"] = Buffer.byteLength(body);
      }
      const sent = request(
        { agent: this.#agent, host: this.#host, port: this.#port, method, path, headers },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
          response.on("error", reject);
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The body of an answer with this status. @throws with the answer where it is another */
export function expected(answer: Answer, status: number): string {
  if (answer.status !== status) throw new Error(`Answered ${answer.status}: ${answer.body.slice(0, 500)}`);
  return answer.body;
}
