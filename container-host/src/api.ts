import {
  type DequeueRequest,
  DequeueResponse,
  HostDeployment,
  type ReportRequest,
  ReportResponse,
} from "@acme/sdk/contract";
import type { z } from "zod";
import { type HttpAnswer, HttpClient } from "./http.ts";

const BASE = "/engine/v1/worker-actions";
const CALL_MS = 30_000;

/** The server answered with a status that is no success. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** Sending the same again can't help: what was sent is refused. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && ![401, 403, 408, 425, 429].includes(this.status);
  }

  get isUnauthorized(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** The server's side of the host protocol. Every call throws ApiError, or Error when there was no answer. */
export class WorkerApi {
  readonly #http: HttpClient;

  constructor(apiUrl: string, hostToken: string) {
    this.#http = new HttpClient(apiUrl, { authorization: `Bearer ${hostToken}`, accept: "application/json" });
  }

  async dequeue(request: DequeueRequest, signal?: AbortSignal): Promise<DequeueResponse> {
    const answer = await this.#http.call({
      method: "POST",
      path: `${BASE}/dequeue`,
      body: JSON.stringify(request),
      timeoutMs: request.waitMs + CALL_MS,
      signal,
    });
    return parse(DequeueResponse, answer);
  }

  /** `body`: the JSON text of a ReportRequest. */
  async report(body: string, signal?: AbortSignal): Promise<ReportResponse> {
    const answer = await this.#http.call({
      method: "POST",
      path: `${BASE}/report`,
      body,
      timeoutMs: CALL_MS,
      signal,
    });
    return parse(ReportResponse, answer);
  }

  async deployment(id: string): Promise<HostDeployment> {
    const path = `${BASE}/deployments/${encodeURIComponent(id)}`;
    return parse(HostDeployment, await this.#http.call({ method: "GET", path, timeoutMs: CALL_MS }));
  }

  async bundle(hash: string, maxBytes: number): Promise<Buffer> {
    const path = `${BASE}/bundles/${encodeURIComponent(hash)}`;
    const answer = await this.#http.call({ method: "GET", path, timeoutMs: 4 * CALL_MS, maxBytes });
    if (answer.status !== 200) throw errorOf(answer);
    return answer.body;
  }

  close(): void {
    this.#http.close();
  }
}

export const reportBody = (request: ReportRequest): string => JSON.stringify(request);

function parse<T extends z.ZodType>(schema: T, answer: HttpAnswer): z.output<T> {
  if (answer.status !== 200) throw errorOf(answer);
  let json: unknown;
  try {
    json = JSON.parse(answer.body.toString("utf8"));
  } catch {
    throw new Error(`The server's answer is not JSON: ${excerpt(answer.body)}`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new Error(`The server's answer does not fit the host protocol: ${parsed.error.message}`);
}

function errorOf(answer: HttpAnswer): ApiError {
  let message = excerpt(answer.body);
  try {
    const body = JSON.parse(answer.body.toString("utf8")) as { error?: unknown; message?: unknown };
    if (typeof body.error === "string") message = body.error;
    else if (typeof body.message === "string") message = body.message;
  } catch {
    // No JSON: the text itself.
  }
  return new ApiError(answer.status, `${answer.status}: ${message}`);
}

const excerpt = (body: Buffer): string => body.subarray(0, 300).toString("utf8");
