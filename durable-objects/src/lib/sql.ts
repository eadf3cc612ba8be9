/**
 * SQLite as the cores see it: synchronous, one connection, nothing else running. workerd gives it through
 * `ctx.storage.sql`, plain Node through `node:sqlite`, so the same core runs in both.
 */
export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

export interface Sql {
  /** Runs one statement and returns all of its rows. */
  exec<T extends SqlRow = SqlRow>(query: string, ...bindings: SqlValue[]): T[];
  /** Runs `work` in one transaction: all of it is kept, or (when it throws) nothing. */
  transaction<T>(work: () => T): T;
}

/** The storage of a Durable Object as {@link Sql}. */
export function objectSql(storage: DurableObjectStorage): Sql {
  return {
    exec: <T extends SqlRow>(query: string, ...bindings: SqlValue[]) =>
      storage.sql.exec(query, ...bindings).toArray() as unknown as T[],
    transaction: (work) => storage.transactionSync(work),
  };
}

/**
 * Applies the migrations an object has not seen yet, by number, each in one transaction with its number.
 * An object that holds nothing yet is left without tables until it is first written to: asking about what does not
 * exist must not create anything.
 */
export function migrate(sql: Sql, migrations: readonly string[]): void {
  sql.transaction(() => {
    sql.exec("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY)");
    const applied = sql.exec<{ n: number | null }>("SELECT max(number) AS n FROM migrations")[0]?.n ?? 0;
    for (let number = applied + 1; number <= migrations.length; number++) {
      for (const statement of statementsOf(migrations[number - 1] as string)) sql.exec(statement);
      sql.exec("INSERT INTO migrations (number) VALUES (?)", number);
    }
  });
}

export const hasTables = (sql: Sql): boolean =>
  sql.exec("SELECT 1 AS found FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'").length > 0;

const statementsOf = (script: string): string[] =>
  script
    .split(/;\s*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");

/** Values of objects that fit nowhere else: small, by key, as JSON. */
export class Meta {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  get<T>(key: string): T | null {
    const row = this.#sql.exec<{ value: string }>("SELECT value FROM meta WHERE key = ?", key)[0];
    return row ? (JSON.parse(row.value) as T) : null;
  }

  set(key: string, value: unknown): void {
    this.#sql.exec(
      "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
      key,
      JSON.stringify(value),
    );
  }
}
