import { DEFAULTS } from "@acme/sdk/contract";
import { LONG_TTL_MS, type Scene } from "./scene.ts";

const DAY_MS = 24 * 3_600_000;

/** Tables of a queue that must be empty once all runs and keys are gone. */
const TABLES = [
  ..."runs payloads outputs metadata attempts events journal waiters messages".split(" "),
  ..."idempotency debounces keys".split(" "),
];

/**
 * Moves the clock past the retention of runs. Idempotency keys that are still valid return the same runs as
 * before, which are not executed again. Once the keys have expired too, nothing is left.
 *
 * @param rest runs the simulation until nothing happens any more
 */
export async function outliveRetention(scene: Scene, rest: () => Promise<void>): Promise<void> {
  const { world, invariants } = scene;
  world.jump(DEFAULTS.retentionMs + 10 * DAY_MS);
  await rest();
  for (const [key, { runId, again }] of scene.longKeys)
    scene.client(async () => {
      const owner = scene.ownerOf(runId);
      const { environment } = owner;
      const run = await scene.persist(() => scene.queue(owner.queueKey).retrieveRun(environment.key, runId));
      if (!run)
        invariants.violations.report(
          4,
          `${key} stands for ${runId}, which was deleted before the key expired`,
        );
      const found = await again();
      if (found !== runId) invariants.violations.report(4, `${key} stood for ${runId} and now for ${found}`);
    });
  await rest();
  world.jump(LONG_TTL_MS);
  await rest();
  for (const binding of ["QUEUE", "WAITPOINT", "BATCH"]) {
    for (const [name, database] of scene.platform.databases(binding)) {
      const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
      const kept = tables
        .map((table) => table.name as string)
        .filter((table) => binding !== "QUEUE" || TABLES.includes(table));
      for (const table of kept) {
        const rows = database.prepare(`SELECT * FROM ${table} LIMIT 1`).all();
        if (rows.length > 0)
          throw new Error(
            `past retention ${binding}/${name} has a row in ${table}: ${JSON.stringify(rows[0])}`,
          );
      }
    }
  }
}
