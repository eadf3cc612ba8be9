import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import {
  type DequeueRequest,
  DequeueResponse,
  HostDeployment,
  LEASE_HEADER,
  RegisteredHost,
  type RegisterHostBody,
  type ReportRequest,
  ReportResponse,
} from "@acme/sdk/contract";
import type { z } from "zod";
import { type HttpAnswer, HttpClient } from "./http.ts";

const BASE = "/engine/v1/worker-actions";
const CALL_MS = 30_000;
/** Shorter bodies take more time to compress than to send. */
const GZIP_CHARACTERS = 32 * 1024;
const gzipped = promisify(gzip);

/** The server answered with an error status. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  /** The server's code of the error; empty if it gave none. */
  readonly code: string;

  constructor(status: number, message: string, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** True: the request itself is refused, so a retry can't succeed. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && ![401, 403, 408, 425, 429].includes(this.status);
  }

  get isUnauthorized(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** The server's side of the host protocol. Every call throws ApiError, or Error when there was no answer. */
export interface HostApi {
  /** Registers the host's credential with the server. Idempotent. */
  register(body: RegisterHostBody): Promise<void>;
  dequeue(request: DequeueRequest, signal?: AbortSignal): Promise<DequeueResponse>;
  /** `body`: the JSON text of a ReportRequest. */
  report(body: string, signal?: AbortSignal): Promise<ReportResponse>;
  /** `apiToken`: the token of a lease of any run of the deployment's environment. */
  deployment(id: string, apiToken: string | undefined): Promise<HostDeployment>;
  /** Returns the bytes of a deployment's bundle. `apiToken`: as for `deployment`. */
  bundle(deploymentId: string, maxBytes: number, apiToken: string | undefined): Promise<Buffer>;
  close(): void;
}

/** The host protocol over HTTP. */
export class WorkerApi implements HostApi {
  readonly #http: HttpClient;
  readonly #registrationToken: string;

  /** `credential`: the host's own, which all calls except the registration send. */
  constructor(apiUrl: string, registrationToken: string, credential: string) {
    this.#registrationToken = registrationToken;
    this.#http = new HttpClient(apiUrl, {
      authorization: `Bearer ${credential}`,
      accept: "application/json",
    });
  }

  async register(body: RegisterHostBody): Promise<void> {
    const answer = await this.#http.call({
      method: "POST",
      path: "/engine/v1/hosts",
      headers: { authorization: `Bearer ${this.#registrationToken}` },
      body: JSON.stringify(body),
      timeoutMs: CALL_MS,
    });
    parse(RegisteredHost, answer);
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

  async report(body: string, signal?: AbortSignal): Promise<ReportResponse> {
    const isLarge = body.length > GZIP_CHARACTERS;
    const answer = await this.#http.call({
      method: "POST",
      path: `${BASE}/report`,
      body: isLarge ? await gzipped(body, { level: constants.Z_BEST_SPEED }) : body,
      headers: isLarge ? { "content-encoding": "gzip" } : undefined,
      timeoutMs: CALL_MS,
      signal,
    });
    return parse(ReportResponse, answer);
  }

  async deployment(id: string, apiToken: string | undefined): Promise<HostDeployment> {
    const path = `${BASE}/deployments/${encodeURIComponent(id)}`;
    const headers = leaseHeaders(apiToken);
    return parse(HostDeployment, await this.#http.call({ method: "GET", path, headers, timeoutMs: CALL_MS }));
  }

  async bundle(deploymentId: string, maxBytes: number, apiToken: string | undefined): Promise<Buffer> {
    const path = `${BASE}/deployments/${encodeURIComponent(deploymentId)}/bundle`;
    const headers = leaseHeaders(apiToken);
    const answer = await this.#http.call({ method: "GET", path, headers, timeoutMs: 4 * CALL_MS, maxBytes });
    if (answer.status !== 200) throw errorOf(answer);
    return answer.body;
  }

  close(): void {
    this.#http.close();
  }
}

const leaseHeaders = (apiToken: string | undefined): Record<string, string> | undefined =>
  apiToken === undefined ? undefined : { [LEASE_HEADER]: apiToken };

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
  let code = "";
  try {
    const body = JSON.parse(answer.body.toString("utf8")) as {
      error?: unknown;
      message?: unknown;
      code?: unknown;
    };
    if (typeof body.code === "string") code = body.code;
    if (typeof body.error === "string") message = body.error;
    else if (typeof body.message === "string") message = body.message;
  } catch {
    // It is not JSON, so the text itself is used.
  }
  return new ApiError(answer.status, `${answer.status}: ${message}`, code);
}

const excerpt = (body: Buffer): string => body.subarray(0, 300).toString("utf8");
