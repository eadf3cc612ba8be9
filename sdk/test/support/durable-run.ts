import { expect } from "vitest";
import type { AttemptOutcome, DequeuedRun } from "../../src/contract/host-protocol.ts";
import type { JournalEntry, OperationResult } from "../../src/contract/journal.ts";
import { RuntimeProcess, runOf } from "./runtime.ts";

type Options = Omit<ConstructorParameters<typeof RuntimeProcess>[0], "channel">;

/**
 * A run that is executed by several processes. It keeps the journal as the platform does (known fields are
 * kept), confirms that entries are durable, and passes the journal to the next process.
 */
export class DurableRun {
  readonly run: DequeuedRun;
  readonly journal = new Map<number, JournalEntry>();
  runtime: RuntimeProcess | undefined;
  /** False: journal messages are not confirmed as durable. */
  answers = true;
  readonly #options: Options;

  constructor(options: Options, taskId: string, payload?: unknown, more: Partial<DequeuedRun> = {}) {
    this.#options = options;
    this.run = runOf(taskId, payload, more);
  }

  /** Starts a process that runs it from its start, or resumes it with its journal. */
  async start(env: Record<string, string> = {}): Promise<RuntimeProcess> {
    const runtime = new RuntimeProcess({ ...this.#options, env: { ...this.#options.env, ...env } });
    this.follow(runtime);
    await runtime.message("ready");
    const journal = structuredClone(this.entries);
    runtime.send({ type: "run", run: { ...this.run, resume: journal.length > 0 ? { journal } : undefined } });
    return runtime;
  }

  follow(runtime: RuntimeProcess): void {
    this.runtime = runtime;
    runtime.onMessage = (message) => {
      if (message.type !== "journal" || message.runId !== this.run.runId) return;
      for (const entry of message.entries) {
        // Known fields are kept, except for recorded values, which are sent again when there are more of
        // them.
        const known = this.journal.get(entry.number);
        this.journal.set(entry.number, { ...entry, ...known, values: entry.values ?? known?.values });
      }
      if (this.answers) runtime.send({ type: "journaled", runId: message.runId, seq: message.seq });
    };
  }

  get entries(): JournalEntry[] {
    return [...this.journal.values()].sort((a, b) => a.number - b.number);
  }

  /** Completes an operation: the next process knows the result, and it is sent to the current one. */
  complete(number: number, result: OperationResult): void {
    const entry = this.journal.get(number);
    if (entry && !entry.result) Object.assign(entry, { result, completedAt: Date.now() });
    this.runtime?.send({ type: "operation", runId: this.run.runId, number, result });
  }

  /** Like `complete`, but without a message: it happens while no process runs. */
  completeSilently(number: number, result: OperationResult = { ok: true }): void {
    Object.assign(this.journal.get(number)!, { result, completedAt: Date.now() });
  }

  /** Resolves when the run has reported that it waits for exactly these operations. */
  async waits(...numbers: number[]): Promise<void> {
    await this.runtime!.until(() => {
      const last = this.runtime!.messages.findLast((m) => m.type === "waiting" || m.type === "working");
      return last?.type === "waiting" && last.waits.map((w) => w.number).join() === numbers.join();
    });
  }

  /** Ends the process as if the machine had lost power. */
  async kill(): Promise<void> {
    this.runtime!.child.kill("SIGKILL");
    await this.runtime!.exited;
  }

  async outcome(): Promise<AttemptOutcome> {
    return (await this.runtime!.message("completed", this.run.runId)).outcome;
  }

  /** Returns the run's output. */
  async result(): Promise<unknown> {
    const outcome = await this.outcome();
    expect(outcome).toMatchObject({ type: "success" });
    const output = outcome.type === "success" ? outcome.output : undefined;
    return output == null ? undefined : JSON.parse(output);
  }

  /** Resolves when this process has logged exactly this. */
  async logged(...messages: string[]): Promise<void> {
    await this.runtime!.until(() => this.logs.length >= messages.length);
    expect(this.logs).toEqual(messages);
  }

  get logs(): string[] {
    return this.runtime!.logs(this.run.runId).map((entry) => entry.message);
  }
}
