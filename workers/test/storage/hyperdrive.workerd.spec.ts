import { describe, expect, it } from "vitest";
import { openRepository } from "../../src/storage/open.ts";
import { openSql } from "../../src/storage/sql-connection.ts";
import { aRun } from "./a-run.ts";
import { anAccount } from "./an-account.ts";
import { bindings } from "./test-bindings.ts";

/** The whole suite runs on Postgres from Node; here: that the driver also works inside workerd, through the binding. */
describe("Hyperdrive", () => {
  it("is what the repository opens where it is bound, and writes and lists", async () => {
    const repository = openRepository(bindings as never);
    const { prod } = await anAccount(openSql(bindings as never));
    const runs = Array.from({ length: 20 }, () => aRun(prod, { tags: ["a"] }));
    await repository.upsertRuns(runs);
    const again = openRepository(bindings as never);
    expect((await again.listRuns(prod, { tags: ["a"] }, { limit: 50 })).runs).toEqual(runs.toReversed());
    const { createdAt, ...input } = await again.createDeployment({
      environmentKey: prod,
      contentHash: "0".repeat(64),
      bundleBytes: 1,
      manifest: { tasks: [], queues: [], runtime: "node", sdkVersion: "0.1.0" },
    });
    expect(input.version).toMatch(/^\d{8}\.1$/);
    expect(createdAt).toBeGreaterThan(0);
  });

  it("serves several queries at once on one connection", async () => {
    const repository = openRepository(bindings as never);
    const { prod, dev } = await anAccount(openSql(bindings as never));
    const found = await Promise.all([prod, dev, prod].map((key) => repository.findEnvironmentByKey(key)));
    expect(found.map((environment) => environment?.slug)).toEqual(["prod", "dev", "prod"]);
  });
});
