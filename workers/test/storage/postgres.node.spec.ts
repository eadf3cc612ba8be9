import { afterAll, describe, expect, inject, it } from "vitest";
import { migratePostgres } from "../../../scripts/migrate-postgres.mjs";
import { postgresRepository } from "../../src/storage/postgres-repository.ts";
import { postgresConnection } from "../../src/storage/sql-connection.ts";
import { repositorySuite } from "./repository-suite.ts";

const opened: { end(): Promise<void> }[] = [];
const open = (url = inject("postgresUrl")) => {
  const repository = postgresRepository(url);
  opened.push(repository);
  return repository;
};
const connect = () => {
  const connection = postgresConnection(inject("postgresUrl"));
  opened.push(connection);
  return connection;
};
afterAll(() => Promise.all(opened.map((each) => each.end())));

repositorySuite("Postgres", async () => ({ repository: open(), connection: connect() }));

describe("Postgres", () => {
  it("can be migrated again, and by two at once", async () => {
    await Promise.all([migratePostgres(inject("postgresUrl")), migratePostgres(inject("postgresUrl"))]);
    await expect(open().ping()).resolves.toBeUndefined();
  });

  it("ping fails where no database answers", async () => {
    await expect(open("postgres://acme:unused@127.0.0.1:1/postgres").ping()).rejects.toThrow();
  });

  it("ping fails where the database isn't migrated", async () => {
    await expect(open(inject("postgresUrl").replace(/\/postgres$/, "/template1")).ping()).rejects.toThrow();
  });
});
