import { sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/pg-proxy";
import { postgresClient } from "../../src/storage/postgres-client.ts";
import { postgresSide, type SqlConnection } from "../../src/storage/sql-connection.ts";

class Undone extends Error {}

/** Values of the columns of the count tables that are not counts. */
const COUNTED: Record<string, string> = {
  environment_key: "'plan' || environment",
  step: "CASE minute % 2 WHEN 0 THEN 60000 ELSE 3600000 END",
  time: "minute * 3600000",
  task: "'task'",
  queue: "'queue'",
  machine: "'small-1x'",
};

/** A Postgres whose queries are kept, to ask for their plans. For queries only: it has no transactions. */
export function openPostgresPlans(url: string) {
  const client = postgresClient(url);
  // As in Drizzle's own driver, JSON texts are sent unchanged.
  for (const type of [114, 3802]) client.options.serializers[type] = (value: unknown) => value;
  const queries: { text: string; parameters: unknown[] }[] = [];
  const db = drizzle(async (text, parameters: unknown[]) => {
    queries.push({ text, parameters });
    return { rows: await client.unsafe(text, parameters as never[]).values() };
  });
  const connection: SqlConnection = {
    ...postgresSide(db),
    lockOrganization: () => sql`SELECT 1`,
    atomically: () => Promise.reject(new Error("Transactions are tested with the real connections")),
  };
  /**
   * Returns the plans of each function's queries. Postgres scans empty tables in any case, so scans are made
   * expensive; and the choice of joins depends on the contents, so counts of many environments exist
   * meanwhile, which nobody else can see.
   */
  const plans = async (questions: (() => PromiseLike<unknown> | unknown)[]): Promise<string[][]> => {
    const asked: { text: string; parameters: unknown[] }[][] = [];
    for (const question of questions) {
      await question();
      asked.push(queries.splice(0));
    }
    const found: string[][] = [];
    await client
      .begin(async (transaction) => {
        const columns = await transaction<{ name: string }[]>`
          SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'run_rollups'`;
        const values = columns.map(({ name }) => COUNTED[name] ?? "0");
        await transaction.unsafe(
          `INSERT INTO run_rollups (${columns.map(({ name }) => `"${name}"`).join(", ")}) SELECT ${values.join(", ")}
           FROM generate_series(1, 500) AS environment, generate_series(1, 60) AS minute`,
        );
        await transaction.unsafe("ANALYZE run_rollups");
        await transaction.unsafe("SET LOCAL enable_seqscan = off");
        await transaction.unsafe("SET LOCAL enable_bitmapscan = off");
        for (const statements of asked) {
          const own: string[] = [];
          for (const { text, parameters } of statements) {
            const rows = await transaction.unsafe(`EXPLAIN ${text}`, parameters as never[]).values();
            own.push(rows.map(([line]) => String(line)).join("\n"));
          }
          found.push(own);
        }
        throw new Undone();
      })
      .catch((error: unknown) => {
        if (!(error instanceof Undone)) throw error;
      });
    return found;
  };
  return { connection, plans, end: () => client.end({ timeout: 5 }) };
}
