import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Sql, SqlRow, SqlValue } from "../src/lib/sql.ts";

/**
 * The cores' storage over plain Node's SQLite, with savepoints for nested transactions as workerd has them. `onPrepare`: called
 * with each statement before it is first run.
 */
export function nodeSql(
  database = new DatabaseSync(":memory:"),
  onPrepare: (query: string) => void = () => {},
): Sql {
  const statements = new Map<string, StatementSync>();
  let depth = 0;
  const prepared = (query: string): StatementSync => {
    let statement = statements.get(query);
    if (!statement) {
      statement = database.prepare(query);
      onPrepare(query);
      statements.set(query, statement);
    }
    return statement;
  };
  return {
    exec: <T extends SqlRow>(query: string, ...bindings: SqlValue[]) =>
      prepared(query).all(...bindings) as unknown as T[],
    transaction<T>(work: () => T): T {
      const name = `level_${depth}`;
      database.exec(`SAVEPOINT ${name}`);
      depth += 1;
      try {
        const result = work();
        database.exec(`RELEASE ${name}`);
        return result;
      } catch (error) {
        database.exec(`ROLLBACK TO ${name}`);
        database.exec(`RELEASE ${name}`);
        throw error;
      } finally {
        depth -= 1;
      }
    },
  };
}
