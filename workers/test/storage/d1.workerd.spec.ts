import { applyD1Migrations } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { d1Connection } from "../../src/storage/sql-connection.ts";
import { d1Repository } from "../../src/storage/sqlite-repository.ts";
import { repositorySuite } from "./repository-suite.ts";
import { bindings } from "./test-bindings.ts";

beforeAll(() => applyD1Migrations(bindings.DB, bindings.MIGRATIONS));

repositorySuite("D1", async () => ({
  repository: d1Repository(bindings.DB),
  connection: d1Connection(bindings.DB),
}));

describe("D1", () => {
  it("ping fails where the database isn't migrated", async () => {
    await expect(d1Repository(bindings.EMPTY_DB).ping()).rejects.toThrow();
  });
});
