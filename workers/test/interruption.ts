import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { forgetAccessTokens } from "../src/auth/access-token.ts";
import { forgetKeys } from "../src/auth/credentials.ts";
import { forgetOrganizations } from "../src/control/authenticate-organization.ts";
import { EnvironmentObject } from "../src/index.ts";
import { forgetMemberships } from "../src/people/membership.ts";
import { forgetSessions } from "../src/people/session.ts";
import { DatabaseObject } from "../src/storage/database-object.ts";
import { postgresClient } from "../src/storage/postgres-client.ts";
import type { PlainStatement } from "../src/storage/sql-connection.ts";

const { HYPERDRIVE, DB, BULK_ACTION } = env;

/** Lets a number of writes reach the database, and fails every one after them, as if the server had died there. */
interface Interruption {
  begin(writes: number): Promise<void>;
  /** Writes reach the database again. True: one was kept from it. */
  end(): Promise<boolean>;
}

const isWrite = (sql: string): boolean => /^\s*(insert|update|delete)/i.test(sql);

/** The number of writes that are left until the server dies. After that every call fails, including reads. */
class Countdown {
  #left = 0;
  isOver = false;

  begin(writes: number): void {
    this.#left = writes;
    this.isOver = false;
  }

  /** Passes a number of writes that are made together. Otherwise the server dies among them, and `before` says after how many. */
  passes(writes: number): { before: number } | null {
    if (!this.isOver && writes <= this.#left) {
      this.#left -= writes;
      return null;
    }
    const before = this.isOver ? 0 : this.#left;
    this.isOver = true;
    return { before };
  }

  /** Throws if the server is already dead. */
  count(sql: string): void {
    if (this.isOver || (isWrite(sql) && this.passes(1))) throw new Error(DEAD);
  }
}

const DEAD = "The server died here";
/** Fails in a transaction that is open and some of whose statements have run. */
const CUT = "SELECT json('cut off')";

const countdown = new Countdown();

/** The database object. */
function interruptDatabaseObject(): void {
  const { query, queryAtomically } = DatabaseObject.prototype;
  vi.spyOn(DatabaseObject.prototype, "query").mockImplementation(async function (
    this: DatabaseObject<unknown>,
    sql,
    ...rest
  ) {
    countdown.count(sql);
    return query.call(this, sql, ...rest);
  });
  vi.spyOn(DatabaseObject.prototype, "queryAtomically").mockImplementation(async function (
    this: DatabaseObject<unknown>,
    statements: PlainStatement[],
  ) {
    if (countdown.isOver) throw new Error(DEAD);
    const cut = countdown.passes(statements.filter(({ sql }) => isWrite(sql)).length);
    if (!cut) return queryAtomically.call(this, statements);
    const failing = { sql: CUT, params: [], required: false };
    return queryAtomically.call(this, [...statements.slice(0, cut.before), failing]);
  });
}

const sqlOf = (statement: D1PreparedStatement): string => String(Reflect.get(statement, "statement"));

/** D1, whose statements run one by one or in a batch, which is a transaction. */
function interruptD1(db: D1Database): void {
  const statements = Object.getPrototypeOf(db.prepare("SELECT 1")) as D1PreparedStatement;
  for (const method of ["all", "run", "raw", "first"] as const) {
    const original = statements[method] as (this: D1PreparedStatement, ...rest: unknown[]) => Promise<never>;
    vi.spyOn(statements, method).mockImplementation(async function (
      this: D1PreparedStatement,
      ...rest: unknown[]
    ) {
      countdown.count(sqlOf(this));
      return original.apply(this, rest);
    });
  }
  const databases = Object.getPrototypeOf(db) as D1Database;
  const { batch } = databases;
  vi.spyOn(databases, "batch").mockImplementation(async function <T>(
    this: D1Database,
    prepared: D1PreparedStatement[],
  ): Promise<D1Result<T>[]> {
    if (countdown.isOver) throw new Error(DEAD);
    const cut = countdown.passes(prepared.filter((each) => isWrite(sqlOf(each))).length);
    if (!cut) return batch.call(this, prepared) as Promise<D1Result<T>[]>;
    await batch.call(this, [...prepared.slice(0, cut.before), this.prepare(CUT)]).catch(() => {});
    throw new Error(DEAD);
  });
}

/**
 * The objects' own storage: the key-value rows of bulk actions and deletions, the settings of environments.
 */
async function interruptObjects(): Promise<void> {
  const kv = await runInDurableObject(
    BULK_ACTION.getByName("interrupted"),
    (_, { storage }) => Object.getPrototypeOf(storage.kv) as SyncKvStorage,
  );
  const { put } = kv;
  vi.spyOn(kv, "put").mockImplementation(function (this: SyncKvStorage, key, value) {
    if (countdown.passes(1)) throw new Error(DEAD);
    put.call(this, key, value);
  });
  const { updateEnvironment } = EnvironmentObject.prototype;
  vi.spyOn(EnvironmentObject.prototype, "updateEnvironment").mockImplementation(async function (
    this: EnvironmentObject,
    ...rest
  ) {
    if (countdown.passes(1)) throw new Error(DEAD);
    return updateEnvironment.apply(this, rest);
  });
}

const interruptionInside: Interruption = {
  async begin(writes) {
    countdown.begin(Number.POSITIVE_INFINITY);
    if (DB) interruptD1(DB);
    else interruptDatabaseObject();
    await interruptObjects();
    countdown.begin(writes);
  },
  async end() {
    vi.restoreAllMocks();
    return countdown.isOver;
  },
};

/** A trigger of every table counts writes in a sequence, which no transaction undoes. */
const postgresInterruption = (url: string): Interruption => {
  // It ends with the test's own worker: if it were closed earlier, its driver would report an error.
  const sql = postgresClient(url);
  let installed = false;
  let limit = 0;
  return {
    async begin(writes) {
      limit = writes;
      if (!installed) await sql.unsafe(TRIGGERS);
      installed = true;
      await sql`SELECT setval('writes_made', 1, false)`;
      await sql`UPDATE writes_allowed SET count = ${writes}`;
    },
    async end() {
      const [row] = await sql<{ last_value: string }[]>`SELECT last_value FROM writes_made`;
      await sql`UPDATE writes_allowed SET count = 1000000000`;
      return Number(row?.last_value) > limit;
    },
  };
};

const TRIGGERS = `
  CREATE SEQUENCE IF NOT EXISTS writes_made;
  CREATE TABLE IF NOT EXISTS writes_allowed (count bigint);
  DELETE FROM writes_allowed;
  INSERT INTO writes_allowed VALUES (1000000000);
  CREATE OR REPLACE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF nextval('writes_made') > (SELECT count FROM writes_allowed) THEN RAISE EXCEPTION 'The server died here'; END IF;
    RETURN NULL;
  END $$;
  DO $$
  DECLARE name text;
  BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'writes_allowed' LOOP
      EXECUTE format('CREATE OR REPLACE TRIGGER count_write BEFORE INSERT OR UPDATE OR DELETE ON %I
        FOR EACH STATEMENT EXECUTE FUNCTION count_write()', name);
    END LOOP;
  END $$;`;

const interruption = HYPERDRIVE ? postgresInterruption(HYPERDRIVE.connectionString) : interruptionInside;

/** Clears the caches that a restarted process does not have. */
function forgetAll(): void {
  forgetKeys();
  forgetAccessTokens();
  forgetMemberships();
  forgetOrganizations();
  forgetSessions();
}

/** More writes than any operation makes: one that is always interrupted would be repeated for ever. */
const MOST_WRITES = 60;

/**
 * Repeats an operation, the n-th time with the server dying after the n-th write, until it is no longer
 * interrupted. After each, `check` gets the result of `prepare` and that of the operation; null if there was
 * no response.
 */
export async function interruptedAfterEachWrite<Prepared, Done>(
  prepare: () => Promise<Prepared>,
  operation: (prepared: Prepared) => Promise<Done>,
  check: (prepared: Prepared, done: Done | null) => Promise<void>,
): Promise<number> {
  for (let writes = 0; writes <= MOST_WRITES; writes++) {
    const prepared = await prepare();
    await interruption.begin(writes);
    const done = await operation(prepared).catch(() => null);
    const interrupted = await interruption.end();
    forgetAll();
    try {
      await check(prepared, done);
    } catch (error) {
      throw new Error(
        `Interrupted after ${writes} writes: ${error instanceof Error ? error.message : error}`,
        {
          cause: error,
        },
      );
    }
    if (!interrupted) return writes;
  }
  throw new Error(`It makes more than ${MOST_WRITES} writes`);
}
