import { beforeAll, describe, expect, it } from "vitest";
import type { Repository, RunFilter } from "../../src/storage/repository.ts";
import { aRun } from "./a-run.ts";
import { anAccount } from "./an-account.ts";
import { type NodeSqlite, openNodeSqlite } from "./node-sqlite.ts";

const newest = aRun("env00001").id;

/** Filter → the index that a page of it walks. */
const LISTS: [RunFilter, string][] = [
  [{}, "runs_newest"],
  [{ statuses: ["COMPLETED_SUCCESSFULLY"] }, "runs_newest"],
  [{ versions: ["20261124.1"] }, "runs_newest"],
  [{ from: 1, to: 2 }, "runs_newest"],
  [{ tasks: ["a"] }, "runs_of_task"],
  [{ tasks: ["a", "b"], statuses: ["COMPLETED_SUCCESSFULLY"] }, "runs_of_task"],
  [{ statuses: ["PENDING", "EXECUTING"] }, "runs_not_succeeded"],
  [{ statuses: ["CRASHED"], from: 1 }, "runs_not_succeeded"],
  [{ batch: "batch_a" }, "runs_of_batch"],
  [{ rootRunId: newest }, "runs_of_root"],
  [{ parentRunId: newest }, "runs_of_parent"],
  [{ schedule: "sched_a" }, "runs_of_schedule"],
  [{ batch: "batch_a", tasks: ["a"], statuses: ["CRASHED"], from: 1, to: 2 }, "runs_of_batch"],
  [{ tasks: ["a"], statuses: ["CRASHED"], isTest: true, to: 2 }, "runs_not_succeeded"],
];

let sqlite: NodeSqlite;
let repository: Repository;
beforeAll(() => {
  sqlite = openNodeSqlite();
  repository = sqlite.repository;
});

const plansOf = async (question: () => Promise<unknown>): Promise<string[]> => {
  sqlite.plans();
  await question();
  return sqlite.plans();
};

describe("plans of a page of batches", () => {
  it("seeks the next batch's id, whatever the number of runs of each", async () => {
    const plans = await plansOf(() => repository.listBatchIds("env00001", 10, "batch_x"));
    expect(plans).toHaveLength(1);
    expect(plans[0]).toContain(
      "SEARCH runs USING COVERING INDEX runs_of_batch (environment_key=? AND batch_id<?)",
    );
    expect(plans[0]).not.toContain("SCAN runs");
  });
});

describe("plans of a page of runs", () => {
  const pages = [{ limit: 10 }, { limit: 10, after: newest }, { limit: 10, before: newest }];

  it.each(LISTS)("%j walks %s in its order", async (filter, index) => {
    for (const page of pages) {
      const plans = await plansOf(() => repository.listRuns("env00001", filter, page));
      expect(plans.length).toBeGreaterThan(0);
      for (const plan of plans) {
        expect(plan).toContain(`SEARCH runs USING INDEX ${index} (environment_key=?`);
        expect(plan).not.toMatch(/SCAN runs|TEMP B-TREE/);
      }
    }
  });

  it.each(LISTS)("of several environments, %j walks %s of each, in one statement", async (filter, index) => {
    for (const page of pages) {
      const plans = await plansOf(() => repository.listRunsOf(["env00001", "env00002"], filter, page));
      expect(plans).toHaveLength(1);
      const [found, sorted] = (plans[0] as string).split(/(?=USE TEMP B-TREE FOR ORDER BY)/);
      expect(found).toMatch(
        new RegExp(`SEARCH runs USING (COVERING )?INDEX ${index} \\(environment_key=\\?`),
      );
      expect(found).not.toMatch(/SCAN runs/);
      expect(sorted).toBe("USE TEMP B-TREE FOR ORDER BY");
    }
  });

  it("by bulk action walks its list", async () => {
    for (const page of pages) {
      const plans = await plansOf(() => repository.listRuns("env00001", { bulkAction: "bulk_a" }, page));
      expect(plans).toHaveLength(1);
      expect(plans[0]).toMatch(/SEARCH run_tags USING PRIMARY KEY \(environment_key=\? AND tag=\?/);
      expect(plans[0]).not.toMatch(/SCAN runs|SCAN run_tags/);
    }
  });

  it("by tag walks each tag's list, in one statement", async () => {
    for (const page of pages) {
      const plans = await plansOf(() =>
        repository.listRuns("env00001", { tags: ["a", "b"], tasks: ["t"] }, page),
      );
      expect(plans).toHaveLength(1);
      // Only the ids that were found are sorted; each tag yields no more than a page of them.
      const [found, sorted] = (plans[0] as string).split(/(?=USE TEMP B-TREE FOR ORDER BY)/);
      expect(found).toMatch(/SEARCH runs USING INDEX \S+ \(id=\?\)/);
      expect(found).toMatch(/SEARCH run_tags USING PRIMARY KEY \(environment_key=\? AND tag=\?/);
      expect(found).not.toMatch(/SCAN runs|SCAN run_tags/);
      expect(sorted).toBe("USE TEMP B-TREE FOR ORDER BY");
    }
  });
});

describe("plans of a count", () => {
  it.each([[{}], [{ from: 1, to: 2 }]])("%j reads indexes only", async (filter) => {
    const [plan] = await plansOf(() => repository.countRuns("env00001", filter));
    expect(plan).toContain("USING COVERING INDEX runs_newest (environment_key=?");
    expect(plan).toContain("USING COVERING INDEX runs_not_succeeded (environment_key=?");
  });
});

describe("plan of the count of unfinished runs", () => {
  it("reads the index of runs that have not succeeded", async () => {
    const [plan] = await plansOf(() => repository.countUnfinished("env00001"));
    expect(plan).toContain("USING COVERING INDEX runs_not_succeeded (environment_key=? AND status=?");
  });
});

describe("plans of the queries in each request", () => {
  it.each<[string, () => Promise<unknown>]>([
    ["a key's environment", () => repository.findEnvironmentByKeyHash("0".repeat(64))],
    ["a token", () => repository.findAccessToken("0".repeat(64))],
    ["a run", () => repository.findRun("env00001", newest)],
    ["a deployment", () => repository.findDeploymentByVersion("env00001", "20261124.1")],
    ["deployments", () => repository.listDeployments("env00001", 10)],
  ])("%s scan no table", async (_what, question) => {
    for (const plan of await plansOf(question)) expect(plan).not.toContain("SCAN");
  });
});

describe("the schema", () => {
  it("keeps tags in one tree", () => {
    const { sql } =
      sqlite.database.prepare("SELECT sql FROM sqlite_master WHERE name = 'run_tags'").get() ?? {};
    expect(sql).toMatch(/WITHOUT ROWID$/);
  });

  it("adds no cost for runs without tags", async () => {
    const { prod } = await anAccount(sqlite.connection);
    await repository.upsertRuns([aRun(prod), aRun(prod)]);
    const { tags } = sqlite.database.prepare("SELECT count(*) AS tags FROM run_tags").get() ?? {};
    expect(tags).toBe(0);
  });
});
