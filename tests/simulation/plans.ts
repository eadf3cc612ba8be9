/**
 * `node tests/simulation/plans.ts SEEDS`: the query plan of each statement that the objects ran in these
 * seeds, as JSON.
 */
import "./register.ts";
import type { DatabaseSync } from "node:sqlite";

export interface StatementPlan {
  binding: string;
  query: string;
  plan: string[];
}

const plans = new Map<string, StatementPlan>();

function explain(binding: string, database: DatabaseSync, query: string): void {
  if (plans.has(`${binding} ${query}`) || !/^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/i.test(query)) return;
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all();
  plans.set(`${binding} ${query}`, { binding, query, plan: plan.map(({ detail }) => String(detail)) });
}

const { simulate } = await import("./simulate.ts");
for (let seed = 1; seed <= Number(process.argv[2]); seed++) await simulate(seed, { onStatement: explain });
console.log(JSON.stringify([...plans.values()]));
