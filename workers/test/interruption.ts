import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { forgetAccessTokens } from "../src/auth/access-token.ts";
import { forgetKeys } from "../src/auth/credentials.ts";
import type { Bindings } from "../src/bindings.ts";
import { forgetOrganizations } from "../src/control/authenticate-organization.ts";
import { forgetMemberships } from "../src/people/membership.ts";
import { forgetSessions } from "../src/people/session.ts";
import { DatabaseObject } from "../src/storage/database-object.ts";
import { postgresClient } from "../src/storage/postgres-client.ts";
import type { PlainStatement } from "../src/storage/sql-connection.ts";

const { HYPERDRIVE } = env as unknown as Bindings;

/** Lets a number of writes reach the database, and fails every one after them, as if the server had died there. */
interface Interruption {
  begin(writes: number): Promise<void>;
  /** Writes reach the database again. True: one was kept from it. */
  end(): Promise<boolean>;
}

const isWrite = (sql: string): boolean => /^\s*(insert|update|delete)/i.test(sql);

/** The database object: what it is asked for after the cut fails, reads too. */
const objectInterruption: Interruption = (() => {
  let cut = false;
  return {
    async begin(writes) {
      cut = false;
      let left = writes;
      const { query, queryAtomically } = DatabaseObject.prototype;
      const die = () => {
        cut = true;
        return Promise.reject(new Error("The server died here"));
      };
      vi.spyOn(DatabaseObject.prototype, "query").mockImplementation(function (
        this: DatabaseObject<unknown>,
        sql,
        ...rest
      ) {
        if (cut) return die();
        if (isWrite(sql) && left-- <= 0) return die();
        return query.call(this, sql, ...rest);
      });
      vi.spyOn(DatabaseObject.prototype, "queryAtomically").mockImplementation(function (
        this: DatabaseObject<unknown>,
        statements: PlainStatement[],
      ) {
        if (cut) return die();
        const made = statements.filter(({ sql }) => isWrite(sql)).length;
        if (made <= left) {
          left -= made;
          return queryAtomically.call(this, statements);
        }
        cut = true;
        // The transaction is open, and some of its statements have run.
        const failing = { sql: "SELECT json('cut off')", params: [], required: false };
        return queryAtomically.call(this, [...statements.slice(0, left), failing]);
      });
    },
    async end() {
      vi.restoreAllMocks();
      return cut;
    },
  };
})();

/** A trigger of every table counts writes in a sequence, which no transaction undoes. */
const postgresInterruption = (url: string): Interruption => {
  // It ends with the test's own worker: closed before, its driver would report that as an error.
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

const interruption = HYPERDRIVE ? postgresInterruption(HYPERDRIVE.connectionString) : objectInterruption;

/** What a process that was started again does not know. */
function forgetAll(): void {
  forgetKeys();
  forgetAccessTokens();
  forgetMemberships();
  forgetOrganizations();
  forgetSessions();
}

/** More writes than any operation makes: one that is always interrupted would go on for ever. */
const MOST_WRITES = 60;

/**
 * Does an operation again and again, the n-th time with the server dying after the n-th write, until it is not interrupted any
 * more. After each, `check` is given what `prepare` made and what came of the operation; null: there was no answer.
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
