/**
 * SQLite as the cores use it: synchronous, over one connection. workerd provides it as `ctx.storage.sql` and plain Node as
 * `node:sqlite`, so the same core runs in both.
 */
export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

export interface Sql {
  /**
   * Runs one statement and returns all of its rows. A limit that is a parameter is written `LIMIT ? + 0`: SQLite plans a statement
   * for the value of a bare `LIMIT ?`, and compiles it again each time that a value is bound, which takes longer than most
   * statements run.
   */
  exec<T extends SqlRow = SqlRow>(query: string, ...bindings: SqlValue[]): T[];
  /** Runs `work` in one transaction. If it throws, nothing is kept. */
  transaction<T>(work: () => T): T;
}

/** The storage of a Durable Object as {@link Sql}. */
export function objectSql(storage: DurableObjectStorage): Sql {
  return {
    exec: <T extends SqlRow>(query: string, ...bindings: SqlValue[]) =>
      rowsOf<T>(query, storage.sql.exec(query, ...bindings)),
    transaction: (work) => storage.transactionSync(work),
  };
}

const MAX_STATEMENTS = 1_000;

/** The names of the columns by the text of their statement: the runtime makes new strings of them for each cursor. */
const columns = new Map<string, string[]>();

function columnsOf(query: string, cursor: SqlStorageCursor<never>, count: number): string[] {
  const known = columns.get(query);
  // A `*` may have had fewer columns when the statement ran last, before a migration.
  if (known?.length === count) return known;
  if (columns.size >= MAX_STATEMENTS) columns.clear();
  const names = cursor.columnNames;
  columns.set(query, names);
  return names;
}

/**
 * Returns the cursor's rows as objects. It reads arrays of values, which take workerd half the time of its
 * own objects.
 */
function rowsOf<T extends SqlRow>(
  query: string,
  cursor: SqlStorageCursor<Record<string, SqlStorageValue>>,
): T[] {
  const rows: T[] = [];
  let names: string[] | undefined;
  for (const values of cursor.raw()) {
    names ??= columnsOf(query, cursor as SqlStorageCursor<never>, values.length);
    const row: SqlRow = {};
    for (let column = 0; column < names.length; column++)
      row[names[column] as string] = values[column] as SqlValue;
    rows.push(row as T);
  }
  return rows;
}

/**
 * Applies the migrations an object has not seen yet, by number, each in one transaction with its number. An
 * object gets its tables when it is first written to: a read of something that does not exist must not create
 * it.
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

/** Small values of an object that fit no other table: JSON by key. */
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
