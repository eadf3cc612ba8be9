import type { StatementPlan } from "./statement-plans.ts";

/** What `--report` writes, beside what is printed. */
export interface SimulationReport {
  /** The trace of each seed that passed. */
  traces: Record<number, string>;
  /** The plans of every statement that the objects ran. */
  plans: StatementPlan[];
}
