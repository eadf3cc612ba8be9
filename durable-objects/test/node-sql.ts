import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Sql, SqlRow, SqlValue } from "../src/lib/sql.ts";

/** The statements of a database that are compiled, by their text. */
export type Statements = Map<string, StatementSync>;

/**
 * The cores' storage over plain Node's SQLite, with savepoints for nested transactions as workerd has them. `onPrepare`: called
 * with each statement before it is first run. `statements`: those that the database's earlier users have compiled.
 */
export function nodeSql(
  database = new DatabaseSync(":memory:"),
  onPrepare: (query: string) => void = () => {},
  statements: Statements = new Map(),
): Sql {
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
      prepared(`SAVEPOINT ${name}`).run();
      depth += 1;
      try {
        const result = work();
        prepared(`RELEASE ${name}`).run();
        return result;
      } catch (error) {
        prepared(`ROLLBACK TO ${name}`).run();
        prepared(`RELEASE ${name}`).run();
        throw error;
      } finally {
        depth -= 1;
      }
    },
  };
}
