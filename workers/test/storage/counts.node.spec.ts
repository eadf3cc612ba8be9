import { afterAll, inject } from "vitest";
import { postgresRepository } from "../../src/storage/postgres-repository.ts";
import { postgresConnection } from "../../src/storage/sql-connection.ts";
import { countsSuite } from "./counts-suite.ts";
import { openNodeSqlite } from "./node-sqlite.ts";

const opened: { end(): Promise<void> }[] = [];
afterAll(() => Promise.all(opened.map((each) => each.end())));

countsSuite("SQLite", async () => ({ ...openNodeSqlite(), senders: [] }));
countsSuite("Postgres", async () => {
  const url = inject("postgresUrl");
  const repository = postgresRepository(url);
  const senders = [postgresRepository(url), postgresRepository(url)];
  const connection = postgresConnection(url);
  opened.push(repository, ...senders, connection);
  return { repository, senders, connection };
});
