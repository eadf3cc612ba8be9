/** Number of an invariant of the design, see `INVARIANTS`. */
export type InvariantNumber = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;

export class Violation extends Error {
  readonly invariant: InvariantNumber;

  constructor(invariant: InvariantNumber, message: string) {
    super(`invariant ${invariant}: ${message}`);
    this.invariant = invariant;
  }
}

/**
 * The violations that checks found. Many are found in the middle of a step, where nothing could catch an
 * error, so they are thrown after the step.
 */
export class Violations {
  #first: Violation | null = null;

  report(invariant: InvariantNumber, message: string): void {
    this.#first ??= new Violation(invariant, message);
  }

  throwFirst(): void {
    if (this.#first) throw this.#first;
  }
}
