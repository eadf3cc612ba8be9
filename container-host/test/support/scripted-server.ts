import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type AttemptCompleted,
  type AttemptOutcome,
  type DequeuedRun,
  DequeueRequest,
  type HostDeployment,
  type HostNotice,
  type LeaseVerdict,
  type LogEntry,
  type MachinePreset,
  ReportRequest,
} from "@acme/sdk/contract";
import type { z } from "zod";
import type { TestBundle } from "./bundle.ts";

export const HOST_TOKEN = "host-token-of-the-test";

type Report = z.output<typeof ReportRequest>;

export interface RunOptions {
  payload?: unknown;
  machine?: MachinePreset;
  maxDuration?: number;
  leaseMs?: number;
  environment?: string;
  deploymentId?: string;
  token?: number;
  runId?: string;
}

interface Poll {
  request: DequeueRequest;
  answer(runs: DequeuedRun[], notices?: HostNotice[], ended?: boolean): void;
}

let lastRun = 0;

/**
 * The server's side of the host protocol, as a script: hands out the runs it is given, keeps what it is told. Requests
 * are checked against the contract. It decides nothing that a queue decides.
 */
export class ScriptedServer {
  readonly deployments = new Map<string, HostDeployment>();
  readonly bundles = new Map<string, Buffer>();
  readonly runs: DequeuedRun[] = [];
  readonly notices: HostNotice[] = [];
  readonly polls = new Set<Poll>();
  readonly sessions: string[] = [];
  readonly hostIds = new Set<string>();
  readonly maxSeen: number[] = [];
  readonly started: Report["started"] = [];
  readonly completed: AttemptCompleted[] = [];
  readonly heartbeats: Report["heartbeats"] = [];
  readonly logs = new Map<string, LogEntry[]>();
  readonly goodbyes: string[] = [];
  readonly requests = new Map<string, number>();
  /** Verdict on a lease; by default "ok". */
  verdict: (
    kind: "started" | "completed" | "heartbeats",
    lease: { runId: string; token: number },
  ) => LeaseVerdict = () => "ok";
  /** Answers a request instead of the protocol: a status with a message, or "hang up". */
  trouble: (path: string, body: unknown) => { status: number; message: string } | "hang up" | undefined =
    () => undefined;
  /** Checking every request costs as much as serving it: measurements leave it out. */
  validate = true;
  #url = "";
  #wake: (() => void)[] = [];
  #server = createServer((request, response) => void this.#serve(request, response));

  get url(): string {
    return this.#url;
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    this.#url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  /** As after a crash: open connections break. It can listen again. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.polls.clear();
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get port(): number {
    return Number(new URL(this.#url).port);
  }

  deploy(bundle: TestBundle, options: { id?: string; env?: Record<string, string> } = {}): string {
    const id = options.id ?? `deployment_${this.deployments.size + 1}`;
    this.bundles.set(bundle.hash, bundle.bytes);
    this.deployments.set(id, {
      id,
      version: `20261124.${this.deployments.size + 1}`,
      contentHash: bundle.hash,
      bundleBytes: bundle.bytes.length,
      manifest: { tasks: [], queues: [], runtime: "node", sdkVersion: "0.1.0" },
      env: options.env ?? {},
      apiToken: `api-token-of-${id}`,
    });
    return id;
  }

  run(taskId: string, options: RunOptions = {}): DequeuedRun {
    const id = options.deploymentId ?? [...this.deployments.keys()].at(-1);
    const deployment = this.deployments.get(id ?? "");
    const key = options.environment ?? "env00000";
    lastRun += 1;
    return {
      runId: options.runId ?? `run_${lastRun}`,
      taskId,
      token: options.token ?? 1,
      attempt: 1,
      leaseMs: options.leaseMs ?? 60_000,
      queue: `task/${taskId}`,
      payload: options.payload === undefined ? undefined : JSON.stringify(options.payload),
      payloadType: "application/json",
      tags: [],
      environment: { key, id: `env_${key}`, slug: "prod", type: "PRODUCTION" },
      project: { id: "project_1", ref: "proj_test", name: "Test" },
      organization: { id: "org_1", slug: "org", name: "Org" },
      deployment: {
        id: id ?? "none",
        version: deployment?.version ?? "0",
        contentHash: deployment?.contentHash ?? "0".repeat(64),
      },
      machine: options.machine ?? "small-1x",
      maxDuration: options.maxDuration,
      isTest: false,
      priority: 0,
      createdAt: Date.now(),
    };
  }

  /** Hands a run to the next poll that has room. */
  trigger(taskId: string, options: RunOptions = {}): DequeuedRun {
    const run = this.run(taskId, options);
    this.give(run);
    return run;
  }

  give(...runs: DequeuedRun[]): void {
    for (const run of runs) this.runs.push(run);
    this.#pump();
  }

  notify(notice: HostNotice): void {
    this.notices.push(notice);
    this.#pump();
  }

  /** Tells all that poll that their session is over. */
  endSession(): void {
    for (const poll of [...this.polls]) poll.answer([], [], true);
  }

  outcome(run: { runId: string; token?: number }): AttemptOutcome | undefined {
    return this.completed.find(
      ({ runId, token }) => runId === run.runId && (run.token === undefined || token === run.token),
    )?.outcome;
  }

  /** Resolves with the outcome of a run as soon as it was reported. */
  async outcomeOf(run: { runId: string }): Promise<AttemptOutcome> {
    return this.until(`the outcome of ${run.runId}`, () => this.outcome(run));
  }

  /** The output of a run that has to succeed. */
  async outputOf<T>(run: { runId: string }): Promise<T> {
    const outcome = await this.outcomeOf(run);
    if (outcome.type !== "success") throw new Error(`The run did not succeed: ${JSON.stringify(outcome)}`);
    const { output, outputType } = outcome;
    return (output == null || outputType === "text/plain" ? output : JSON.parse(output)) as T;
  }

  isStarted(run: { runId: string }): boolean {
    return this.started.some(({ runId }) => runId === run.runId);
  }

  async startOf(run: { runId: string }): Promise<void> {
    await this.until(`the start of ${run.runId}`, () => this.isStarted(run));
  }

  /** Resolves with what `find` gives as soon as it gives something; looked at after every request. */
  async until<T>(what: string, find: () => T | undefined | false | null, timeoutMs = 30_000): Promise<T> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = find();
      if (found !== undefined && found !== false && found !== null) return found;
      if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #pump(): void {
    for (const poll of [...this.polls]) {
      const { max, sessionId } = poll.request;
      if (sessionId !== this.sessions.at(-1)) continue;
      const runs = this.runs.splice(0, max);
      const notices = this.notices.splice(0);
      if (runs.length + notices.length > 0) poll.answer(runs, notices);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body: unknown =
      chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString("utf8"));
    this.#count(path);
    const trouble = this.trouble(path, body);
    if (trouble === "hang up") {
      request.socket.destroy();
      return;
    }
    if (trouble) return json(response, trouble.status, { error: trouble.message });
    if (path === "/healthz") return json(response, 200, { ok: true, as: request.headers.authorization });
    if (request.headers.authorization !== `Bearer ${HOST_TOKEN}`)
      return json(response, 401, { error: "Invalid host token" });
    const [, id] = /^\/engine\/v1\/worker-actions\/deployments\/(.+)$/.exec(path) ?? [];
    const [, hash] = /^\/engine\/v1\/worker-actions\/bundles\/(.+)$/.exec(path) ?? [];
    if (path.endsWith("/dequeue")) this.#dequeue(DequeueRequest.parse(body), response);
    else if (path.endsWith("/report"))
      this.#report(this.validate ? ReportRequest.parse(body) : (body as Report), response);
    else if (id) {
      const deployment = this.deployments.get(id);
      if (deployment) json(response, 200, deployment);
      else json(response, 404, { error: "No such deployment" });
    } else if (hash) {
      const bytes = this.bundles.get(hash);
      if (bytes) response.writeHead(200, { "content-type": "text/javascript" }).end(bytes);
      else json(response, 404, { error: "No such bundle" });
    } else json(response, 404, { error: "Not found" });
    this.#notify();
  }

  #dequeue(request: DequeueRequest, response: ServerResponse): void {
    this.hostIds.add(request.hostId);
    this.maxSeen.push(request.max);
    if (!this.sessions.includes(request.sessionId)) this.sessions.push(request.sessionId);
    let answered = false;
    const poll: Poll = {
      request,
      answer: (runs, notices = [], ended) => {
        if (answered) return;
        answered = true;
        clearTimeout(timer);
        this.polls.delete(poll);
        json(response, 200, { runs, notices, now: Date.now(), ended });
        this.#notify();
      },
    };
    const timer = setTimeout(() => poll.answer([]), request.waitMs);
    response.on("close", () => {
      clearTimeout(timer);
      this.polls.delete(poll);
    });
    if (request.waitMs === 0) poll.answer([]);
    else {
      this.polls.add(poll);
      this.#pump();
    }
  }

  #report(report: Report, response: ServerResponse): void {
    const verdicts = <T extends { runId: string; token: number }>(
      kind: "started" | "completed" | "heartbeats",
      items: T[],
      record: (item: T) => void,
    ): LeaseVerdict[] =>
      items.map((item) => {
        const verdict = this.verdict(kind, item);
        if (verdict === "ok") record(item);
        return verdict;
      });
    const answer = {
      started: verdicts("started", report.started, (item) => this.started.push(item)),
      completed: verdicts("completed", report.completed, (item) => this.completed.push(item)),
      heartbeats: verdicts("heartbeats", report.heartbeats, (item) => this.heartbeats.push(item)),
    };
    for (const { runId, entries } of report.logs ?? [])
      this.logs.set(runId, [...(this.logs.get(runId) ?? []), ...entries]);
    if (report.goodbye) this.goodbyes.push(report.sessionId);
    json(response, 200, answer);
  }

  #count(path: string): void {
    const name = path.split("/").slice(0, 5).join("/");
    this.requests.set(name, (this.requests.get(name) ?? 0) + 1);
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
