import { describe } from "vitest";
import type { Repository } from "../../src/storage/repository.ts";
import type { SqlDatabase } from "../../src/storage/sql-database.ts";
import { accountSuite } from "./account-suite.ts";
import { deploymentSuite } from "./deployment-suite.ts";
import { runSuite } from "./run-suite.ts";

/** A repository, and what puts accounts below it. */
export interface Store {
  repository: Repository;
  connection: Pick<SqlDatabase, "db" | "tables">;
}

/**
 * Tests of every repository, on any database. `open` may be called repeatedly; each call opens the same data.
 */
export function repositorySuite(database: string, open: () => Promise<Store>): void {
  describe(database, () => {
    accountSuite(open);
    deploymentSuite(open);
    runSuite(open);
  });
}
