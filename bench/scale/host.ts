import { HOST_PROTOCOL, hostOfCredential } from "@acme/sdk/contract";
import { expected, HttpClient } from "../http-client.ts";

const POLLS = 4;
/** Number of runs that each poll asks for. */
const ROOM = 100;
/**
 * How long a poll waits for runs. It is short, because the bench waits for the last poll, which gets none.
 */
const WAIT_MS = 20;

interface Run {
  runId: string;
  token: number;
}

/**
 * A container host that executes nothing: it reports each leased run as started and as succeeded, in one
 * call. So only the server is measured.
 */
export class NullHost {
  readonly #http: HttpClient;
  readonly #session: { hostId: string; sessionId: string };

  /** @param credential of the server's own host, whose session ends when this one begins */
  constructor(apiUrl: string, credential: string) {
    this.#http = new HttpClient(apiUrl, { authorization: `Bearer ${credential}` });
    this.#session = { hostId: hostOfCredential(credential) ?? "", sessionId: `scale-${Date.now()}` };
  }

  /** Takes over from the server's own host. */
  async begin(): Promise<void> {
    await this.#dequeue(0, 0);
  }

  /** Works until `count` runs are over. */
  async work(count: number): Promise<void> {
    let left = count;
    const loop = async (): Promise<void> => {
      while (left > 0) {
        const runs = await this.#dequeue(ROOM, WAIT_MS);
        const over = runs.length > 0 ? await this.#finish(runs) : 0;
        left -= over;
      }
    };
    await Promise.all(Array.from({ length: Math.min(POLLS, Math.ceil(count / ROOM)) }, loop));
  }

  close = (): Promise<void> => this.#http.close();

  async #dequeue(max: number, waitMs: number): Promise<Run[]> {
    const body = { protocol: HOST_PROTOCOL, ...this.#session, max, waitMs };
    const answer = await this.#http.post("/engine/v1/worker-actions/dequeue", JSON.stringify(body));
    return (JSON.parse(expected(answer, 200)) as { runs: Run[] }).runs;
  }

  /** How many of them were recorded. */
  async #finish(runs: Run[]): Promise<number> {
    const at = Date.now();
    const leases = runs.map(({ runId, token }) => ({ runId, token }));
    const outcome = { type: "success", output: "1", outputType: "application/json" };
    const body = {
      protocol: HOST_PROTOCOL,
      ...this.#session,
      logs: [],
      started: leases.map((lease) => ({ ...lease, startedAt: at })),
      completed: leases.map((lease) => ({ ...lease, startedAt: at, completedAt: at, outcome })),
    };
    const answer = await this.#http.post("/engine/v1/worker-actions/report", JSON.stringify(body));
    const { completed } = JSON.parse(expected(answer, 200)) as { completed: string[] };
    return completed.filter((verdict) => verdict === "ok").length;
  }
}
