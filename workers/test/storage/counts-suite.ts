import type { RunRow } from "@acme/durable-objects/rpc";
import { eq } from "drizzle-orm";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { selectError, selectErrorCounts } from "../../src/errors/error-queries.ts";
import type { Repository } from "../../src/storage/repository.ts";
import { HOUR_MS, MINUTE_MS } from "../../src/storage/rollup-columns.ts";
import { stepOf } from "../../src/storage/run-facts.ts";
import type { SqlConnection } from "../../src/storage/sql-connection.ts";
import { aRun } from "./a-run.ts";
import { anAccount } from "./an-account.ts";

export interface Opened {
  repository: Repository;
  connection: SqlConnection;
  /** Other connections to the same data, if the database takes several. */
  senders: Repository[];
}

const FINGERPRINT = "00000000000000aa";

/** The rows that a queue sends of a run's life. */
function lifeOf(environmentKey: string, end: Partial<RunRow>, createdAt: number): RunRow[] {
  const created = aRun(environmentKey, { createdAt });
  const started: RunRow = { ...created, status: "EXECUTING", version: 3, startedAt: createdAt + 30 };
  const ended: RunRow = {
    ...started,
    version: 5,
    completedAt: createdAt + 4_000,
    updatedAt: createdAt + 4_000,
    usageMs: 100,
    ...end,
  };
  // Tags can be added to a run that is over: that changes its version and counts nothing.
  return [created, started, ended, { ...ended, version: 6, tags: ["late"] }];
}

const FAILED: Partial<RunRow> = {
  status: "COMPLETED_WITH_ERRORS",
  errorMessage: "boom",
  errorName: "TypeError",
  errorFingerprint: FINGERPRINT,
  deploymentVersion: "20261127.2",
};

/** Counting where rows of runs are stored, on any database. */
export function countsSuite(database: string, open: () => Promise<Opened>): void {
  describe(`${database}: what is counted of runs`, () => {
    let repository: Repository;
    let connection: SqlConnection;
    let senders: Repository[];
    const now = stepOf(Date.now(), HOUR_MS) - HOUR_MS;
    beforeAll(async () => {
      ({ repository, connection, senders } = await open());
    });
    const anEnvironment = async () => (await anAccount(connection)).prod;

    async function rollups(environmentKey: string, step: number) {
      const { db, tables } = connection;
      const rows = await db
        .select()
        .from(tables.runRollups)
        .where(eq(tables.runRollups.environmentKey, environmentKey));
      return rows.filter((row) => row.step === step).sort((a, b) => a.time - b.time);
    }

    it("is the same in any order, with every row sent again, and in any batches", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom<Partial<RunRow>>({ status: "COMPLETED_SUCCESSFULLY" }, FAILED), {
            minLength: 1,
            maxLength: 4,
          }),
          fc.infiniteStream(fc.nat()),
          async (ends, random) => {
            const environmentKey = await anEnvironment();
            const draw = () => random.next().value as number;
            const rows = ends.flatMap((end, index) => lifeOf(environmentKey, end, now + index * 20_000));
            const sent = [...rows, ...rows].sort(() => (draw() % 2 ? 1 : -1));
            while (sent.length > 0) await repository.upsertRuns(sent.splice(0, 1 + (draw() % 5)));
            for (const step of [MINUTE_MS, HOUR_MS]) {
              const found = await rollups(environmentKey, step);
              const sum = (column: "created" | "started" | "finished" | "completed" | "failed" | "usageMs") =>
                found.reduce((total, row) => total + row[column], 0);
              const failed = ends.filter((end) => end === FAILED).length;
              const all = ends.length;
              expect([sum("created"), sum("started"), sum("finished")]).toEqual([all, all, all]);
              expect([sum("completed"), sum("failed")]).toEqual([ends.length - failed, failed]);
              expect(sum("usageMs")).toBe(100 * ends.length);
              expect(found.reduce((total, row) => total + row.delay_02, 0)).toBe(ends.length);
              expect(found.reduce((total, row) => total + row.duration_08, 0)).toBe(ends.length);
            }
            const group = await selectError(connection, environmentKey, FINGERPRINT);
            const failures = ends.flatMap((end, index) =>
              end === FAILED ? [now + index * 20_000 + 4_000] : [],
            );
            if (failures.length === 0) expect(group).toBeNull();
            else
              expect(group).toMatchObject({
                count: failures.length,
                firstSeen: Math.min(...failures),
                lastSeen: Math.max(...failures),
                name: "TypeError",
                message: "boom",
                lastVersion: "20261127.000002",
                status: "unresolved",
                reopenedAt: null,
              });
          },
        ),
        { numRuns: 15 },
      );
    });

    it("counts each run once, even if two senders send it at the same moment", async () => {
      const environmentKey = await anEnvironment();
      const rows = Array.from(
        { length: 20 },
        (_, index) => lifeOf(environmentKey, FAILED, now + index)[2] as RunRow,
      );
      await Promise.all([repository, ...senders].map((sender) => sender.upsertRuns(rows)));
      expect(await selectError(connection, environmentKey, FINGERPRINT)).toMatchObject({ count: 20 });
      expect(await rollups(environmentKey, HOUR_MS)).toMatchObject([{ created: 20, failed: 20 }]);
      const counts = await selectErrorCounts(connection, environmentKey, [FINGERPRINT], now, now + HOUR_MS);
      expect(counts).toEqual([
        { fingerprint: FINGERPRINT, hour: now, version: "20261127.000002", count: 20 },
      ]);
    });

    it("is added by a rebuild to rows of a release without fingerprints", async () => {
      const environmentKey = await anEnvironment();
      const row = lifeOf(environmentKey, FAILED, now)[2] as RunRow;
      await repository.upsertRuns([{ ...row, errorName: null, errorFingerprint: null }]);
      expect(await selectError(connection, environmentKey, FINGERPRINT)).toBeNull();
      await repository.upsertRuns([row]);
      await repository.upsertRuns([row]);
      expect(await selectError(connection, environmentKey, FINGERPRINT)).toMatchObject({ count: 1 });
      expect(await repository.findRun(environmentKey, row.id)).toMatchObject({
        errorFingerprint: FINGERPRINT,
      });
      expect(await rollups(environmentKey, HOUR_MS)).toMatchObject([{ created: 1, failed: 1 }]);
    });

    it("lists the runs of an error", async () => {
      const environmentKey = await anEnvironment();
      const rows = [FAILED, { status: "CRASHED" as const }, FAILED].map(
        (end, index) => lifeOf(environmentKey, end, now + index)[2] as RunRow,
      );
      await repository.upsertRuns(rows);
      const { runs } = await repository.listRuns(environmentKey, { error: FINGERPRINT }, { limit: 10 });
      expect(runs.map(({ id }) => id)).toEqual([rows[2]?.id, rows[0]?.id]);
      expect(await repository.countRuns(environmentKey, { error: FINGERPRINT })).toEqual({
        COMPLETED_WITH_ERRORS: 2,
      });
    });

    it("keeps minutes for hours, and hours", async () => {
      const environmentKey = await anEnvironment();
      const old = lifeOf(environmentKey, FAILED, now - 100 * HOUR_MS)[2] as RunRow;
      await repository.upsertRuns([old]);
      await repository.upsertRuns([aRun(environmentKey, { createdAt: now })]);
      expect(await rollups(environmentKey, MINUTE_MS)).toMatchObject([{ time: now, created: 1 }]);
      expect(await rollups(environmentKey, HOUR_MS)).toMatchObject([
        { time: now - 100 * HOUR_MS, created: 1, failed: 1 },
        { time: now, created: 1, failed: 0 },
      ]);
    });

    describe("a resolved or ignored error", () => {
      const settle = async (environmentKey: string, changes: Record<string, unknown>) => {
        const { db, tables } = connection;
        await db
          .update(tables.errorGroups)
          .set(changes)
          .where(eq(tables.errorGroups.environmentKey, environmentKey));
      };
      const happens = (environmentKey: string, version: string | null, at = now) =>
        repository.upsertRuns([
          lifeOf(environmentKey, { ...FAILED, deploymentVersion: version }, at)[2] as RunRow,
        ]);
      const stateOf = async (environmentKey: string) =>
        (await selectError(connection, environmentKey, FINGERPRINT))?.status;

      it("reopens in a later version only", async () => {
        const environmentKey = await anEnvironment();
        await happens(environmentKey, "20261127.9");
        await settle(environmentKey, {
          status: "resolved",
          resolvedAt: now + 10_000,
          resolvedInVersion: "20261127.000009",
        });
        await happens(environmentKey, "20261127.8", now + 20_000);
        await happens(environmentKey, "20261127.9", now + 20_000);
        expect(await stateOf(environmentKey)).toBe("resolved");
        await happens(environmentKey, "20261127.10", now + 30_000);
        expect(await selectError(connection, environmentKey, FINGERPRINT)).toMatchObject({
          status: "unresolved",
          reopenedAt: now + 34_000,
          count: 4,
        });
      });

      it("reopens later, if there are no versions", async () => {
        const environmentKey = await anEnvironment();
        await happens(environmentKey, null);
        await settle(environmentKey, {
          status: "resolved",
          resolvedAt: now + 10_000,
          resolvedInVersion: null,
        });
        await happens(environmentKey, null, now);
        expect(await stateOf(environmentKey)).toBe("resolved");
        await happens(environmentKey, null, now + 20_000);
        expect(await stateOf(environmentKey)).toBe("unresolved");
      });

      it.each([
        ["a time", { ignoredUntil: now + 10_000 }],
        ["a count", { ignoredUntilCount: 3 }],
        ["a rate", { ignoredUntilRate: 1 }],
      ])("is ignored up to %s", async (_what, until) => {
        const environmentKey = await anEnvironment();
        await happens(environmentKey, null, now);
        await settle(environmentKey, { status: "ignored", ignoredAt: now, ...until });
        await happens(environmentKey, null, now + 61_000 * Number("ignoredUntilRate" in until));
        expect(await stateOf(environmentKey)).toBe("ignored");
        await happens(environmentKey, null, now + 61_000);
        expect(await stateOf(environmentKey)).toBe("unresolved");
      });

      it("is ignored for good without a limit", async () => {
        const environmentKey = await anEnvironment();
        await happens(environmentKey, null);
        await settle(environmentKey, { status: "ignored", ignoredAt: now });
        await happens(environmentKey, "20261127.3", now + 60_000);
        expect(await stateOf(environmentKey)).toBe("ignored");
      });
    });
  });
}
