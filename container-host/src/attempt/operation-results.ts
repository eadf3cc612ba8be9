import type { CompletedOperation } from "@acme/sdk/contract";
import type { AttemptState } from "./attempt-state.ts";

type Result = Pick<CompletedOperation, "number" | "result">;

/**
 * Passes the results of operations to the run's runtime, and keeps those that arrive before a runtime has the
 * run.
 */
export class OperationResults {
  readonly #state: AttemptState;
  /** Results that arrived before a runtime had the run. */
  readonly #early: Result[] = [];

  constructor(state: AttemptState) {
    this.#state = state;
  }

  add({ number, result }: CompletedOperation): void {
    if (this.#state.runtime) this.send([{ number, result }]);
    else if (this.#state.phase.name !== "suspending") this.#early.push({ number, result });
  }

  send(results: Result[]): void {
    const { runId } = this.#state.run;
    for (const { number, result } of results)
      this.#state.runtime?.handle.send({ type: "operation", runId, number, result });
  }

  sendEarly(): void {
    this.send(this.#early);
  }

  /** A restored process also gets the results that were journaled while it was saved. */
  sendToRestored(): void {
    const journal = this.#state.run.resume?.journal ?? [];
    this.send(journal.flatMap(({ number, result }) => (result ? [{ number, result }] : [])));
    this.sendEarly();
  }
}
