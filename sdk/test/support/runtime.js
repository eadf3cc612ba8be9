import { spawn } from "node:child_process";
import { expect, onTestFinished } from "vitest";
import { RuntimeToHost } from "../../src/contract/runtime-protocol.js";
import { source } from "./bundle.js";

let runs = 0;
/** A run as the platform hands it out. */
export const runOf = (taskId, payload, more = {}) => ({
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
  messages = [];
  /** Called with each message before anybody who waits for it. */
  onMessage = () => {};
  child;
  output = "";
  exited;
  #channel;
  #wake = [];
  #gone = false;
  constructor(options) {
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
      stream?.setEncoding("utf8").on("data", (text) => {
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
    if (!options.channel) this.attach(this.child.stdio[3]);
    onTestFinished(async () => {
      this.child.kill("SIGKILL");
      await this.exited;
    });
  }
  attach(channel) {
    this.#channel = channel;
    let rest = "";
    channel.on("error", () => {});
    channel.setEncoding("utf8").on("data", (chunk) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop();
      // Everything the runtime says has to fit the contract.
      for (const line of lines) {
        const message = RuntimeToHost.parse(JSON.parse(line));
        this.messages.push(message);
        this.onMessage(message);
      }
      this.#notify();
    });
  }
  send(message) {
    this.#channel?.write(`${JSON.stringify(message)}\n`);
  }
  close() {
    this.#channel?.destroy();
  }
  /** Resolves as soon as `find` gives something; rejects when the process is gone without. */
  async until(find) {
    for (;;) {
      const found = find();
      if (found) return found;
      if (this.#gone) throw new Error(`The runtime is gone. It wrote:\n${this.output}`);
      await new Promise((resolve) => this.#wake.push(resolve));
    }
  }
  message(type, runId) {
    return this.until(() =>
      this.messages.find(
        (m) => m.type === type && (runId === undefined || ("runId" in m && m.runId === runId)),
      ),
    );
  }
  async execute(run) {
    this.send({ type: "run", run });
    return this.message("completed", run.runId);
  }
  async outcome(run) {
    return (await this.execute(run)).outcome;
  }
  /** What a run that has to succeed returned, decoded from JSON. */
  async result(run) {
    const outcome = await this.outcome(run);
    expect(outcome).toMatchObject({ type: "success" });
    const output = outcome.type === "success" ? outcome.output : undefined;
    return output == null ? undefined : JSON.parse(output);
  }
  logs(runId) {
    return this.messages.flatMap((m) => (m.type === "log" && m.runId === runId ? m.entries : []));
  }
  #notify() {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}
