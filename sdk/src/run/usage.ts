import { currentRun } from "./state.ts";

export interface ComputeUsage {
  costInCents: number;
  durationMs: number;
}
export interface CurrentUsage {
  compute: {
    /** Usage of this attempt so far. */
    attempt: ComputeUsage;
    /** Usage of all attempts so far, as far as this process knows. */
    total: ComputeUsage;
  };
  baseCostInCents: number;
  totalCostInCents: number;
}

const cost = (durationMs: number): number => durationMs * (currentRun()?.ctx.machine.centsPerMs ?? 0);

export const usage = {
  /** Returns the compute time of the current run; zeros outside of a task. */
  getCurrent: (): CurrentUsage => {
    const run = currentRun();
    const durationMs = run ? performance.now() - run.startedAt : 0;
    const attempt = { costInCents: cost(durationMs), durationMs };
    const baseCostInCents = run?.ctx.run.baseCostInCents ?? 0;
    return {
      compute: { attempt, total: { ...attempt } },
      baseCostInCents,
      totalCostInCents: attempt.costInCents + baseCostInCents,
    };
  },
  /** Calls `fn` and measures how long it takes. */
  measure: async <T>(fn: () => Promise<T>): Promise<{ result: T; compute: ComputeUsage }> => {
    const startedAt = performance.now();
    const result = await fn();
    const durationMs = performance.now() - startedAt;
    return { result, compute: { costInCents: cost(durationMs), durationMs } };
  },
};
