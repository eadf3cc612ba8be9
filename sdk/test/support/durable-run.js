import { expect } from "vitest";
import { RuntimeProcess, runOf } from "./runtime.js";
/**
 * A run that is executed by several processes: it keeps its journal as the platform does (known fields stay), answers that
 * it is durable, and gives it to the next process.
 */
export class DurableRun {
  run;
  journal = new Map();
  runtime;
  /** False: journal messages are not confirmed as durable. */
  answers = true;
  #options;
  constructor(options, taskId, payload, more = {}) {
    this.#options = options;
    this.run = runOf(taskId, payload, more);
  }
  /** Starts a process that runs it from its start, or resumes it with its journal. */
  async start(env = {}) {
    const runtime = new RuntimeProcess({ ...this.#options, env: { ...this.#options.env, ...env } });
    this.follow(runtime);
    await runtime.message("ready");
    const journal = structuredClone(this.entries);
    runtime.send({ type: "run", run: { ...this.run, resume: journal.length > 0 ? { journal } : undefined } });
    return runtime;
  }
  follow(runtime) {
    this.runtime = runtime;
    runtime.onMessage = (message) => {
      if (message.type !== "journal" || message.runId !== this.run.runId) return;
      for (const entry of message.entries) {
        // Known fields stay, except for recorded values, which are sent again when there are more of them.
        const known = this.journal.get(entry.number);
        this.journal.set(entry.number, { ...entry, ...known, values: entry.values ?? known?.values });
      }
      if (this.answers) runtime.send({ type: "journaled", runId: message.runId, seq: message.seq });
    };
  }
  get entries() {
    return [...this.journal.values()].sort((a, b) => a.number - b.number);
  }
  /** Completes an operation: the next process knows the result, and it is sent to the current one. */
  complete(number, result) {
    const entry = this.journal.get(number);
    if (entry && !entry.result) Object.assign(entry, { result, completedAt: Date.now() });
    this.runtime?.send({ type: "operation", runId: this.run.runId, number, result });
  }
  /** Like `complete`, but without a message: it happens while no process runs. */
  completeSilently(number, result = { ok: true }) {
    Object.assign(this.journal.get(number), { result, completedAt: Date.now() });
  }
  /** Resolves when the run has reported that it waits for exactly these operations. */
  async waits(...numbers) {
    await this.runtime.until(() => {
      const last = this.runtime.messages.findLast((m) => m.type === "waiting" || m.type === "working");
      return last?.type === "waiting" && last.waits.map((w) => w.number).join() === numbers.join();
    });
  }
  /** Ends the process as if the machine had lost power. */
  async kill() {
    this.runtime.child.kill("SIGKILL");
    await this.runtime.exited;
  }
  async outcome() {
    return (await this.runtime.message("completed", this.run.runId)).outcome;
  }
  /** Returns what the run returned. */
  async result() {
    const outcome = await this.outcome();
    expect(outcome).toMatchObject({ type: "success" });
    const output = outcome.type === "success" ? outcome.output : undefined;
    return output == null ? undefined : JSON.parse(output);
  }
  /** Resolves when this process has logged exactly this. */
  async logged(...messages) {
    await this.runtime.until(() => this.logs.length >= messages.length);
    expect(this.logs).toEqual(messages);
  }
  get logs() {
    return this.runtime.logs(this.run.runId).map((entry) => entry.message);
  }
}
