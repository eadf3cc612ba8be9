import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { sqliteMigrations } from "../../migrations/sqlite.ts";
import type { Repository } from "../../src/storage/repository.ts";
import { objectConnection, type SqlRpc } from "../../src/storage/sql-connection.ts";
import { aRun } from "./a-run.ts";
import { anAccount } from "./an-account.ts";
import { repositorySuite } from "./repository-suite.ts";
import { bindings } from "./test-bindings.ts";

const stubOf = (name: string) => bindings.DATABASE.getByName(name);
const open = (name = "main") => stubOf(name) as unknown as Repository;

const connect = (name = "main") => objectConnection(stubOf(name) as unknown as SqlRpc);

repositorySuite("DatabaseObject", async () => ({ repository: open(), connection: connect() }));

describe("DatabaseObject", () => {
  it("keeps everything when it is evicted, and does not apply its migrations again", async () => {
    const { prod } = await anAccount(connect("evicted"));
    const run = aRun(prod);
    await open("evicted").upsertRuns([run]);
    await evictDurableObject(stubOf("evicted"));
    expect(await open("evicted").findRun(prod, run.id)).toEqual(run);
    const applied = await runInDurableObject(stubOf("evicted"), (_, state) =>
      state.storage.sql.exec("SELECT count(*) AS count FROM __drizzle_migrations").one(),
    );
    expect(applied).toEqual({ count: sqliteMigrations.journal.entries.length });
  });

  it("has what it acknowledged when it is aborted", async () => {
    const { prod } = await anAccount(connect("aborted"));
    const runs = Array.from({ length: 40 }, () => aRun(prod));
    await Promise.all(runs.map((run) => open("aborted").upsertRuns([run])));
    await abortAllDurableObjects();
    expect((await open("aborted").listRuns(prod, {}, { limit: 100 })).runs).toHaveLength(40);
  });

  it("writes what arrives at the same moment in few transactions", async () => {
    const { prod } = await anAccount(connect("grouped"));
    const transactions = await runInDurableObject(stubOf("grouped"), async (instance, state) => {
      let count = 0;
      const { storage } = state;
      const transactionSync = storage.transactionSync.bind(storage);
      storage.transactionSync = (closure) => {
        count += 1;
        return transactionSync(closure);
      };
      await Promise.all(Array.from({ length: 50 }, () => instance.upsertRuns([aRun(prod)])));
      return count;
    });
    expect(transactions).toBeLessThanOrEqual(2);
    expect((await open("grouped").listRuns(prod, {}, { limit: 100 })).runs).toHaveLength(50);
  });
});
