import { describe } from "vitest";
import type { Repository } from "../../src/storage/repository.ts";
import { accountSuite } from "./account-suite.ts";
import { deploymentSuite } from "./deployment-suite.ts";
import { runSuite } from "./run-suite.ts";

/** What every repository does, whichever database is below. `open` may be called often: each gives one to the same data. */
export function repositorySuite(database: string, open: () => Promise<Repository>): void {
  describe(database, () => {
    accountSuite(open);
    deploymentSuite(open);
    runSuite(open);
  });
}
