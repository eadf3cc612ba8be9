import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ROOT } from "../support/local-server.ts";

test("40 environments, one of which queued 2,000 runs first, each get their share, also by weight", async () => {
  const args = ["bench/fairness/main.ts", "--environments", "40", "--early", "2000"];
  // It exits with 1 if Jain's index is below 0.99.
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  expect(stdout.match(/Jain's index of starts by weight +0\.99\d+/g)).toHaveLength(2);
});
