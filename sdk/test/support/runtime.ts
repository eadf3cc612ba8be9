import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { expect, onTestFinished } from "vitest";
import type { AttemptOutcome, DequeuedRun } from "../../src/contract/host-protocol.ts";
import type { LogEntry } from "../../src/contract/log-entry.ts";
import { type HostToRuntime, RuntimeToHost } from "../../src/contract/runtime-protocol.ts";
import { source } from "./bundle.ts";

type Message = RuntimeToHost;
type Of<T extends Message["type"]> = Extract<Message, { type: T }>;

let runs = 0;

/** A run as the platform leases it. */
export const runOf = (taskId: string, payload?: unknown, more: Partial<DequeuedRun> = {}): DequeuedRun => ({
  runId: `run_${++runs}`,
  taskId,
  token: 7,
  apiToken: "tr_prod_x",
  attempt: 1,
  leaseMs: 60_000,
  queue: `task/${taskId}`,
  payload: payload === undefined ? undefined : JSON.stringify(payload),
  payloadType: "application/json",
  tags: ["a"],
  environment: { key: "env00000", id: "env_1", slug: "prod", type: "PRODUCTION" },
  project: { id: "project_1", ref: "proj_test", name: "Test" },
  organization: { id: "org_1", slug: "org", name: "Org" },
  deployment: { id: "deployment_1", version: "20261124.1", contentHash: "0".repeat(64) },
  machine: "small-1x",
  isTest: false,
  priority: 0,
  createdAt: 1_700_000_000_000,
  ...more,
});

/** A real runtime process and the host's end of its channel. */
export class RuntimeProcess {
  readonly messages: Message[] = [];
  /** Called with each message before waiting tests get it. */
  onMessage: (message: Message) => void = () => {};
  readonly child: ChildProcess;
  output = "";
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #channel: Duplex | undefined;
  #wake: (() => void)[] = [];
  #gone = false;

  constructor(options: {
    bundle: string;
    env?: Record<string, string>;
    entry?: string;
    nodeArguments?: string[];
    /** `unix:PATH`; the test connects the socket with `attach`. */
    channel?: string;
  }) {
    const args = [...(options.nodeArguments ?? []), options.entry ?? source("runtime/main.ts")];
    this.child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      env: {
        PATH: process.env.PATH,
        ACME_CHANNEL: options.channel ?? "fd:3",
        ACME_CHANNEL_TOKEN: "secret",
        ACME_BUNDLE: options.bundle,
        ...options.env,
      },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        this.#notify();
      });
    }
    this.exited = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.#gone = true;
        this.#notify();
        resolve({ code, signal });
      });
    });
    if (!options.channel) this.attach(this.child.stdio[3] as Duplex);
    onTestFinished(async () => {
      this.child.kill("SIGKILL");
      await this.exited;
    });
  }

  attach(channel: Duplex): void {
    this.#channel = channel;
    let rest = "";
    channel.on("error", () => {});
    channel.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      // Every message of the runtime must match the contract.
      for (const line of lines) {
        const message = RuntimeToHost.parse(JSON.parse(line));
        this.messages.push(message);
        this.onMessage(message);
      }
      this.#notify();
    });
  }

  send(message: HostToRuntime): void {
    this.#channel?.write(`${JSON.stringify(message)}\n`);
  }

  close(): void {
    this.#channel?.destroy();
  }

  /** Resolves as soon as `find` returns something; rejects if the process ends before that. */
  async until<T>(find: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = find();
      if (found) return found;
      if (this.#gone) throw new Error(`The runtime is gone. It wrote:\n${this.output}`);
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  message<T extends Message["type"]>(type: T, runId?: string): Promise<Of<T>> {
    return this.until(() =>
      this.messages.find(
        (m): m is Of<T> => m.type === type && (runId === undefined || ("runId" in m && m.runId === runId)),
      ),
    );
  }

  async execute(run: DequeuedRun): Promise<Of<"completed">> {
    this.send({ type: "run", run });
    return this.message("completed", run.runId);
  }

  async outcome(run: DequeuedRun): Promise<AttemptOutcome> {
    return (await this.execute(run)).outcome;
  }

  /** Returns the output of a run that must succeed, decoded from JSON. */
  async result(run: DequeuedRun): Promise<unknown> {
    const outcome = await this.outcome(run);
    expect(outcome).toMatchObject({ type: "success" });
    const output = outcome.type === "success" ? outcome.output : undefined;
    return output == null ? undefined : JSON.parse(output);
  }

  logs(runId: string): LogEntry[] {
    return this.messages.flatMap((m) => (m.type === "log" && m.runId === runId ? m.entries : []));
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}
