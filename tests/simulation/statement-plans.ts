import type { DatabaseSync } from "node:sqlite";

/** How SQLite carries out a statement that objects of a binding run. */
export interface StatementPlan {
  binding: string;
  query: string;
  plan: string[];
}

/** Asks SQLite for the plan of each statement once. */
export class StatementPlans {
  readonly #known = new Set<string>();
  #found: StatementPlan[] = [];

  explain = (binding: string, database: DatabaseSync, query: string): void => {
    const key = `${binding} ${query}`;
    if (this.#known.has(key) || !/^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/i.test(query)) return;
    this.#known.add(key);
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
    this.#found.push({ binding, query, plan: plan.map(({ detail }) => String(detail)) });
  };

  /** Returns the plans that were found since the last call. */
  take(): StatementPlan[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }
}
