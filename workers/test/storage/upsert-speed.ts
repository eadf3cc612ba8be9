/**
 * `node workers/test/storage/upsert-speed.ts [ROWS]`: how many rows per second the projection writes, on
 * Node's SQLite with a flush to disk for each call of 500 rows: first rows of runs, then their last ones. On
 * a busy machine, the CPU time per row says more than the rows per second.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunRow } from "@acme/durable-objects/rpc";
import { aRun } from "./a-run.ts";
import { openNodeSqlite } from "./node-sqlite.ts";

const ROWS = Number(process.argv[2] ?? 100_000);
const CALL = 500;

const finished = (run: RunRow): RunRow => ({
  ...run,
  status: "COMPLETED_SUCCESSFULLY",
  version: 4,
  attempts: 1,
  deploymentId: "deployment_8jq2m4x0v1c9",
  deploymentVersion: "20261124.1",
  startedAt: run.createdAt + 5,
  completedAt: run.createdAt + 50,
  updatedAt: run.createdAt + 50,
  usageMs: 45,
});

for (const tags of [0, 2]) {
  const folder = mkdtempSync(join(tmpdir(), "acme-upsert-"));
  const path = join(folder, "runs.sqlite");
  const { repository, database } = openNodeSqlite(path);
  const send = async (rows: RunRow[]): Promise<string> => {
    const start = performance.now();
    const used = process.cpuUsage();
    for (let at = 0; at < rows.length; at += CALL) await repository.upsertRuns(rows.slice(at, at + CALL));
    const perSecond = Math.round(rows.length / ((performance.now() - start) / 1_000));
    const { user, system } = process.cpuUsage(used);
    return `${perSecond} rows/s (${((user + system) / rows.length).toFixed(1)} µs of CPU each)`;
  };
  const rows = Array.from({ length: ROWS }, (_, i) =>
    aRun("env00001", {
      task: `task-${i % 20}`,
      tags: Array.from({ length: tags }, (_, tag) => `tag:${(i * (tag + 1)) % 1_000}`),
    }),
  );
  const inserted = await send(rows);
  const updated = await send(rows.map(finished));
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const bytes = Math.round(statSync(path).size / ROWS);
  console.log(`${tags} tags: first ${inserted}, last ${updated}, ${bytes} bytes a run`);
  database.close();
  rmSync(folder, { recursive: true });
}
