import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import {
  type AttemptCompleted,
  type AttemptOutcome,
  type CheckpointRef,
  type CheckpointVerdict,
  type CompletedOperation,
  type DequeuedRun,
  DequeueRequest,
  type HostDeployment,
  type HostNotice,
  hostOfCredential,
  type JournalEntry,
  type KeptCheckpoint,
  LEASE_HEADER,
  type LeaseVerdict,
  type LogEntry,
  type MachinePreset,
  type OperationResult,
  RegisterHostBody,
  ReportRequest,
  type RunSuspension,
  type SuspensionVerdict,
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

/** A host's report about a run that only waits, and the response. */
export interface ReportedSuspension extends RunSuspension {
  hostId: string;
  verdict: SuspensionVerdict["verdict"];
}

interface Poll {
  request: DequeueRequest;
  answer(runs: DequeuedRun[], notices?: HostNotice[], ended?: boolean): void;
}

let lastRun = 0;

/**
 * The server's side of the host protocol, as a script: it leases the runs that it is given, and keeps the
 * reports that it receives. It checks requests against the contract. It keeps journals as a queue does, and
 * makes none of a queue's other decisions.
 */
export class ScriptedServer {
  /** By host id: the hash of its credential. */
  readonly registered = new Map<string, string>();
  /** Requested registrations, accepted or not. */
  readonly registrations: RegisterHostBody[] = [];
  readonly revoked = new Set<string>();
  /** Hosts that answered for each run's logs: the tokens that they showed. */
  readonly logTokens = new Map<string, string | undefined>();
  /** The token that a renewed lease gets; null: none. */
  renew: (lease: { runId: string; token: number }) => string | null = () => null;
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
  /** By run: operations by number, those of its latest attempt. */
  readonly journals = new Map<string, Map<number, JournalEntry>>();
  /** In the order of their reports, including those that the host has to report again. */
  readonly suspensions: ReportedSuspension[] = [];
  /** Saved processes that hosts asked about. */
  readonly keptCheckpoints: KeptCheckpoint[] = [];
  /** Side effects of tasks, in order: the names that they posted to `/effect/NAME`. */
  readonly effects: string[] = [];
  /** Verdict on a lease; by default "ok". */
  verdict: (
    kind: "started" | "journals" | "completed" | "heartbeats",
    lease: { runId: string; token: number },
  ) => LeaseVerdict = () => "ok";
  /**
   * Decides a suspension instead of the queue's rule: "resume" if something that the run waits for is
   * complete, otherwise "suspended".
   */
  suspend: (suspension: RunSuspension) => SuspensionVerdict | undefined = () => undefined;
  /** Whether a saved process is still of use; by default it is. */
  keep: (kept: KeptCheckpoint) => CheckpointVerdict = () => "keep";
  /** Requests are answered after this has resolved. */
  delay: (path: string, body: unknown) => Promise<void> | undefined = () => undefined;
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

  /** Breaks open connections, as after a crash. It can listen again. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.polls.clear();
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get port(): number {
    return Number(new URL(this.#url).port);
  }

  deploy(
    bundle: TestBundle,
    options: { id?: string; env?: Record<string, string>; suspendAfterMs?: number } = {},
  ): string {
    const id = options.id ?? `deployment_${this.deployments.size + 1}`;
    this.bundles.set(bundle.hash, bundle.bytes);
    this.deployments.set(id, {
      id,
      version: `20261124.${this.deployments.size + 1}`,
      contentHash: bundle.hash,
      bundleBytes: bundle.bytes.length,
      manifest: {
        tasks: [],
        queues: [],
        runtime: "node",
        sdkVersion: "0.1.0",
        suspendAfterMs: options.suspendAfterMs,
      },
      env: options.env ?? {},
      secretNames: [],
    });
    return id;
  }

  run(taskId: string, options: RunOptions = {}): DequeuedRun {
    const id = options.deploymentId ?? [...this.deployments.keys()].at(-1);
    const deployment = this.deployments.get(id ?? "");
    const key = options.environment ?? "env00000";
    lastRun += 1;
    const runId = options.runId ?? `run_${lastRun}`;
    return {
      runId,
      apiToken: `api-token-of-${runId}`,
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

  /** Leases a run to the next poll that asks for one. */
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

  /** Answers every pending poll that its session has ended. */
  endSession(): void {
    for (const poll of [...this.polls]) poll.answer([], [], true);
  }

  /** Operations of a run by number. */
  journalOf(run: { runId: string }): JournalEntry[] {
    return [...(this.journals.get(run.runId)?.values() ?? [])].sort((a, b) => a.number - b.number);
  }

  /** Resolves when the run's journal has this operation. */
  async operationOf(run: { runId: string }, number: number): Promise<JournalEntry> {
    return this.until(`operation ${number} of ${run.runId}`, () => this.journals.get(run.runId)?.get(number));
  }

  /** Sets the result of an operation unless it has one. Notifies the run's host unless the run is suspended. */
  complete(
    run: { runId: string; token: number },
    number: number,
    result: OperationResult = { ok: true },
  ): void {
    const stands = this.#setResult(run, number, result);
    const { runId, token } = run;
    if (!this.isSuspended(run)) this.notify({ type: "operation", runId, token, number, result: stands });
  }

  isSuspended({ runId, token }: { runId: string; token: number }): boolean {
    return this.suspensions.some(
      (reported) => reported.runId === runId && reported.token === token && reported.verdict === "suspended",
    );
  }

  /** Resolves with the reported suspension of a run once the run is suspended. */
  async suspensionOf(run: { runId: string; token: number }): Promise<ReportedSuspension> {
    return this.until(`the suspension of ${run.runId}`, () =>
      this.suspensions.find(
        ({ runId, token, verdict }) => runId === run.runId && token === run.token && verdict === "suspended",
      ),
    );
  }

  /**
   * Leases a suspended run again. Everything that it waits for is complete, or, with `results`, only those
   * operations. `checkpoint`: replaces the reported one.
   */
  async resume(
    run: DequeuedRun,
    options: { results?: Record<number, OperationResult>; checkpoint?: CheckpointRef | null } = {},
  ): Promise<DequeuedRun> {
    const reported = await this.suspensionOf(run);
    const results =
      options.results ?? Object.fromEntries(reported.waits.map((n) => [n, { ok: true } as const]));
    for (const [number, result] of Object.entries(results)) this.complete(run, Number(number), result);
    const checkpoint = options.checkpoint === undefined ? reported.checkpoint : options.checkpoint;
    return this.handOutAgain(run, checkpoint);
  }

  /** Leases a run again after its lease ended, with its journal. */
  handOutAgain(run: DequeuedRun, checkpoint?: CheckpointRef | null): DequeuedRun {
    const journal = structuredClone(this.journalOf(run));
    const again = { ...run, token: run.token + 1, resume: { journal, checkpoint } };
    this.give(again);
    return again;
  }

  /** How the host reported that it resumed a run. */
  resumedBy(run: { runId: string; token: number }): Report["started"][number]["resumed"] {
    return this.started.find(({ runId, token }) => runId === run.runId && token === run.token)?.resumed;
  }

  countOf(effect: string): number {
    return this.effects.filter((name) => name === effect).length;
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

  /** Returns the output of a run that must succeed. */
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

  /** Resolves with the result of `find` once there is one; checked after every request. */
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
    const sent = Buffer.concat(chunks);
    const bytes = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
    const body: unknown = bytes.length === 0 ? undefined : JSON.parse(bytes.toString("utf8"));
    this.#count(path);
    await this.delay(path, body);
    const trouble = this.trouble(path, body);
    if (trouble === "hang up") {
      request.socket.destroy();
      return;
    }
    if (trouble) return json(response, trouble.status, { error: trouble.message });
    const [, effect] = /^\/effect\/(.+)$/.exec(path) ?? [];
    if (effect) {
      this.effects.push(effect);
      json(response, 200, { count: this.countOf(effect) });
      this.#notify();
      return;
    }
    if (path === "/healthz") return json(response, 200, { ok: true, as: request.headers.authorization });
    const authorization = request.headers.authorization ?? "";
    if (path === "/engine/v1/hosts") {
      if (authorization !== `Bearer ${HOST_TOKEN}`)
        return json(response, 401, { error: "Invalid host token" });
      this.#register(RegisterHostBody.parse(body), response);
      return;
    }
    const refused = this.#refusal(authorization.slice("Bearer ".length));
    if (refused) return json(response, 401, { error: refused, code: refused });
    const [, id, , ofBundle] =
      /^\/engine\/v1\/worker-actions\/deployments\/([^/]+)((\/bundle)?)$/.exec(path) ?? [];
    if (path.endsWith("/dequeue")) this.#dequeue(DequeueRequest.parse(body), response);
    else if (path.endsWith("/report"))
      this.#report(this.validate ? ReportRequest.parse(body) : (body as Report), response);
    else if (id) {
      const deployment = this.deployments.get(id);
      const bytes = this.bundles.get(deployment?.contentHash ?? "");
      if (!String(request.headers[LEASE_HEADER]).startsWith("api-token-of-run_"))
        json(response, 403, { error: "Show a lease" });
      else if (!deployment) json(response, 404, { error: "No such deployment" });
      else if (!ofBundle) json(response, 200, deployment);
      else if (bytes) response.writeHead(200, { "content-type": "text/javascript" }).end(bytes);
      else json(response, 404, { error: "No such bundle" });
    } else json(response, 404, { error: "Not found" });
    this.#notify();
  }

  #register(body: RegisterHostBody, response: ServerResponse): void {
    this.registrations.push(body);
    const { hostId, credentialHash } = body;
    const known = this.registered.get(hostId);
    if (this.revoked.has(hostId)) json(response, 403, { error: "revoked", code: "host_revoked" });
    else if (known !== undefined && known !== credentialHash)
      json(response, 409, { error: "Another credential", code: "host_exists" });
    else {
      this.registered.set(hostId, credentialHash);
      json(response, 200, { hostId });
    }
    this.#notify();
  }

  /** Why a host's credential is not accepted; undefined: it is. */
  #refusal(credential: string): string | undefined {
    const hostId = hostOfCredential(credential);
    const hash = createHash("sha256").update(credential).digest("hex");
    if (hostId === null || this.registered.get(hostId) !== hash) return "host_not_registered";
    return this.revoked.has(hostId) ? "host_revoked" : undefined;
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
      kind: "started" | "journals" | "completed" | "heartbeats",
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
      journals: verdicts("journals", report.journals ?? [], (item) => this.#keepJournal(item)),
      completed: verdicts("completed", report.completed, (item) => this.completed.push(item)),
      heartbeats: verdicts("heartbeats", report.heartbeats, (item) => this.heartbeats.push(item)),
      suspensions: (report.suspensions ?? []).map((item) => {
        const answer = this.suspend(item) ?? this.#suspend(item);
        if (answer.verdict === "resume")
          for (const { number, result } of answer.completed) this.#setResult(item, number, result);
        this.suspensions.push({ ...item, hostId: report.hostId, verdict: answer.verdict });
        return answer;
      }),
      apiTokens: report.heartbeats.map((lease) => this.renew(lease)),
      logs: (report.logs ?? []).map(() => "ok" as const),
      checkpoints: (report.checkpoints ?? []).map((kept) => {
        this.keptCheckpoints.push(kept);
        return this.keep(kept);
      }),
    };
    for (const { runId, apiToken, entries } of report.logs ?? []) {
      this.logTokens.set(runId, apiToken);
      this.logs.set(runId, [...(this.logs.get(runId) ?? []), ...entries]);
    }
    if (report.goodbye) this.goodbyes.push(report.sessionId);
    json(response, 200, answer);
  }

  /** Returns the result that takes effect. */
  #setResult({ runId }: { runId: string }, number: number, result: OperationResult): OperationResult {
    const entry = this.journals.get(runId)?.get(number);
    if (!entry) throw new Error(`Run ${runId} has no operation ${number}`);
    entry.result ??= result;
    return entry.result;
  }

  /** Known fields are kept. */
  #keepJournal({ runId, entries }: Report["journals"][number]): void {
    const journal = this.journals.get(runId) ?? new Map<number, JournalEntry>();
    this.journals.set(runId, journal);
    for (const entry of entries) journal.set(entry.number, { ...entry, ...journal.get(entry.number) });
  }

  #suspend({ runId, waits }: RunSuspension): SuspensionVerdict {
    const completed: CompletedOperation[] = [];
    for (const number of waits) {
      const entry = this.journals.get(runId)?.get(number);
      if (!entry) throw new Error(`Run ${runId} waits for operation ${number}, which was never reported`);
      if (entry.until !== undefined && entry.until <= Date.now()) entry.result ??= { ok: true };
      if (entry.result) completed.push({ runId, number, result: entry.result });
    }
    return completed.length > 0 ? { verdict: "resume", completed } : { verdict: "suspended" };
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
