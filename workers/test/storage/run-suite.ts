import type { RunRow } from "@acme/durable-objects/rpc";
import { isFinal } from "@acme/sdk/contract";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Repository, RunFilter } from "../../src/storage/repository.ts";
import { aFullRun, aRun } from "./a-run.ts";
import { anAccount } from "./an-account.ts";
import type { Store } from "./repository-suite.ts";
import { aHistory, filters, inOrder, matches } from "./run-model.ts";

const ids = (rows: { id: string }[]) => rows.map(({ id }) => id);

export function runSuite(open: () => Promise<Store>): void {
  let repository: Repository;
  let connection: Store["connection"];
  beforeAll(async () => {
    ({ repository, connection } = await open());
  });
  const anEnvironment = async () => (await anAccount(connection)).prod;
  const all = async (environmentKey: string, filter: RunFilter = {}) =>
    (await repository.listRuns(environmentKey, filter, { limit: 1_000 })).runs;

  describe("upsertRuns", () => {
    it("keeps every field", async () => {
      const environmentKey = await anEnvironment();
      const [full, bare] = [aFullRun(environmentKey), aRun(environmentKey)];
      await repository.upsertRuns([full, bare]);
      expect(await repository.findRun(environmentKey, full.id)).toEqual(full);
      expect(await repository.findRun(environmentKey, bare.id)).toEqual(bare);
    });

    it("replaces a row only by a newer one", async () => {
      const environmentKey = await anEnvironment();
      const run = aRun(environmentKey);
      const later: RunRow = {
        ...run,
        status: "EXECUTING",
        version: 3,
        startedAt: run.createdAt + 1,
        attempts: 1,
      };
      await repository.upsertRuns([later]);
      await repository.upsertRuns([run]);
      await repository.upsertRuns([{ ...run, status: "DEQUEUED", version: 3 }]);
      expect(await repository.findRun(environmentKey, run.id)).toEqual(later);
      const last: RunRow = { ...later, status: "COMPLETED_SUCCESSFULLY", version: 4 };
      await repository.upsertRuns([last]);
      expect(await repository.findRun(environmentKey, run.id)).toEqual(last);
    });

    it("accepts several versions of a run in one call", async () => {
      const environmentKey = await anEnvironment();
      const run = aRun(environmentKey);
      const versions = [2, 5, 1, 5, 3].map((version) => ({ ...run, version, attempts: version }));
      await repository.upsertRuns(versions);
      expect(await repository.findRun(environmentKey, run.id)).toMatchObject({ version: 5, attempts: 5 });
    });

    it("accepts none and many", async () => {
      const environmentKey = await anEnvironment();
      await repository.upsertRuns([]);
      const rows = Array.from({ length: 900 }, () => aRun(environmentKey, { tags: ["many"] }));
      await repository.upsertRuns(rows);
      expect(await all(environmentKey)).toEqual(inOrder(rows));
    });

    it("accepts more than a statement's parameter can hold", async () => {
      const environmentKey = await anEnvironment();
      const rows = Array.from({ length: 30 }, () =>
        aRun(environmentKey, { errorMessage: "☕".repeat(60_000) }),
      );
      await repository.upsertRuns(rows);
      expect(await all(environmentKey)).toEqual(inOrder(rows));
    });

    it("replaces characters that databases can't store, and keeps similar ones", async () => {
      const environmentKey = await anEnvironment();
      const run = aRun(environmentKey, { tags: ["a\0b"], errorMessage: "half \ud83d of 😀 and \\u0000" });
      await repository.upsertRuns([run]);
      expect(await repository.findRun(environmentKey, run.id)).toMatchObject({
        tags: ["a\ufffdb"],
        errorMessage: "half \ufffd of 😀 and \\u0000",
      });
      expect(ids(await all(environmentKey, { tags: ["a\ufffdb"] }))).toEqual([run.id]);
    });

    it("accepts fractions of a millisecond", async () => {
      const environmentKey = await anEnvironment();
      const run = aRun(environmentKey, { delayUntil: 1_795_000_000_000.6 });
      await repository.upsertRuns([run]);
      const found = await repository.findRun(environmentKey, run.id);
      expect(Math.round(found?.delayUntil ?? 0)).toBe(1_795_000_000_001);
    });

    it("adds all or nothing", async () => {
      const environmentKey = await anEnvironment();
      const [good, bad] = [
        aRun(environmentKey),
        { ...aRun(environmentKey), task: null as unknown as string },
      ];
      await expect(async () => repository.upsertRuns([good, bad])).rejects.toThrow();
      expect(await repository.findRun(environmentKey, good.id)).toBeNull();
    });

    it("does not fail a call because another at the same moment does", async () => {
      const environmentKey = await anEnvironment();
      const runs = Array.from({ length: 8 }, () => aRun(environmentKey));
      const results = await Promise.allSettled([
        ...runs.slice(0, 4).map((run) => repository.upsertRuns([run])),
        repository.upsertRuns([{ ...aRun(environmentKey), task: null as unknown as string }]),
        ...runs.slice(4).map((run) => repository.upsertRuns([run])),
      ]);
      expect(results.filter(({ status }) => status === "rejected")).toHaveLength(1);
      expect(await all(environmentKey)).toEqual(inOrder(runs));
    });

    it("converges on the newest version of each run, however rows arrive", async () => {
      const versionsOfRuns = fc.array(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }),
        {
          minLength: 1,
          maxLength: 8,
        },
      );
      await fc.assert(
        fc.asyncProperty(versionsOfRuns, fc.infiniteStream(fc.nat(1_000)), async (history, random) => {
          const environmentKey = await anEnvironment();
          const draw = () => random.next().value ?? 0;
          const rows = history.flatMap((versions, run) => {
            const first = aRun(environmentKey, { task: `task-${run % 3}` });
            // The contents are a function of the version, as in an outbox.
            return versions.map(
              (version): RunRow => ({
                ...first,
                version,
                status:
                  (["PENDING", "EXECUTING", "COMPLETED_SUCCESSFULLY"] as const)[version % 3] ?? "PENDING",
                tags: Array.from({ length: version % 4 }, (_, tag) => `tag-${(run + tag) % 5}`),
                updatedAt: first.updatedAt + version,
              }),
            );
          });
          const shuffled = [...rows, ...rows.filter(() => draw() % 2 === 0)]
            .map((row) => ({ row, at: draw() }))
            .sort((a, b) => a.at - b.at)
            .map(({ row }) => row);
          const sent: Promise<void>[] = [];
          for (let at = 0; at < shuffled.length; ) {
            const size = 1 + (draw() % 4);
            sent.push(repository.upsertRuns(shuffled.slice(at, at + size)));
            if (draw() % 2 === 0) await Promise.all(sent);
            at += size;
          }
          await Promise.all(sent);
          const newest = new Map<string, RunRow>();
          for (const row of rows)
            if (row.version >= (newest.get(row.id)?.version ?? 0)) newest.set(row.id, row);
          const expected = inOrder([...newest.values()]);
          expect(await all(environmentKey)).toEqual(expected);
          for (const tag of ["tag-0", "tag-3"]) {
            expect(await all(environmentKey, { tags: [tag] })).toEqual(
              expected.filter((r) => r.tags.includes(tag)),
            );
          }
        }),
        { numRuns: 12 },
      );
    });
  });

  describe("scope", () => {
    it("shows an environment its own runs only", async () => {
      const [own, other] = [await anEnvironment(), await anEnvironment()];
      const run = aRun(own, { tags: ["shared"], batchId: "batch_shared" });
      const foreign = aRun(other, { tags: ["shared"], batchId: "batch_shared" });
      await repository.upsertRuns([run, foreign]);
      expect(await repository.findRun(own, foreign.id)).toBeNull();
      for (const filter of [
        {},
        { tags: ["shared"] },
        { batch: "batch_shared" },
        { statuses: ["PENDING" as const] },
      ]) {
        expect(ids(await all(own, filter))).toEqual([run.id]);
        expect(await repository.countRuns(own, filter)).toEqual({ PENDING: 1 });
      }
    });

    it("returns nothing after a run of another environment", async () => {
      const [own, other] = [await anEnvironment(), await anEnvironment()];
      const foreign = aRun(other);
      await repository.upsertRuns([aRun(own), foreign, aRun(own)]);
      for (const page of [{ after: foreign.id }, { before: foreign.id }, { after: "nonsense" }]) {
        expect(await repository.listRuns(own, {}, { limit: 5, ...page })).toEqual({
          runs: [],
          next: null,
          previous: null,
        });
      }
    });
  });

  describe("listRuns", () => {
    it("is empty for an environment without runs", async () => {
      const listing = await repository.listRuns(await anEnvironment(), {}, { limit: 5 });
      expect(listing).toEqual({ runs: [], next: null, previous: null });
    });

    it("finds what the filter describes", async () => {
      const environmentKey = await anEnvironment();
      const history = aHistory(environmentKey, 120);
      await repository.upsertRuns(history);
      for (const filter of filters(history)) {
        const expected = inOrder(history.filter((run) => matches(run, filter)));
        expect(ids(await all(environmentKey, filter)), JSON.stringify(filter)).toEqual(ids(expected));
      }
    });

    it("goes through all pages and back", async () => {
      const environmentKey = await anEnvironment();
      const history = aHistory(environmentKey, 60);
      await repository.upsertRuns(history);
      for (const filter of [{}, ...filters(history)]) {
        const expected = ids(inOrder(history.filter((run) => matches(run, filter))));
        const forward: string[][] = [];
        let listing = await repository.listRuns(environmentKey, filter, { limit: 7 });
        expect(listing.previous).toBeNull();
        for (;;) {
          forward.push(ids(listing.runs));
          if (listing.next === null) break;
          listing = await repository.listRuns(environmentKey, filter, { limit: 7, after: listing.next });
        }
        expect(forward.flat(), JSON.stringify(filter)).toEqual(expected);
        const backward: string[][] = [ids(listing.runs)];
        while (listing.previous !== null) {
          listing = await repository.listRuns(environmentKey, filter, { limit: 7, before: listing.previous });
          backward.unshift(ids(listing.runs));
        }
        expect(backward, JSON.stringify(filter)).toEqual(forward);
      }
    });

    it("continues a list after a run that was deleted", async () => {
      const environmentKey = await anEnvironment();
      const [oldest, gone, newest] = [aRun(environmentKey), aRun(environmentKey), aRun(environmentKey)];
      await repository.upsertRuns([oldest, newest]);
      const after = await repository.listRuns(environmentKey, {}, { limit: 5, after: gone.id });
      const before = await repository.listRuns(environmentKey, {}, { limit: 5, before: gone.id });
      expect([ids(after.runs), ids(before.runs)]).toEqual([[oldest.id], [newest.id]]);
    });

    it("puts runs of one moment in a fixed order", async () => {
      const environmentKey = await anEnvironment();
      const runs = Array.from({ length: 12 }, (_, i) =>
        aRun(environmentKey, { createdAt: 1_795_000_000_000, task: `t${i}` }),
      );
      await repository.upsertRuns(runs);
      const first = await repository.listRuns(environmentKey, {}, { limit: 5 });
      const second = await repository.listRuns(environmentKey, {}, { limit: 10, after: first.next ?? "" });
      expect(ids([...first.runs, ...second.runs])).toEqual(ids(inOrder(runs)));
    });

    it("accepts more values in a filter than a statement has parameters", async () => {
      const environmentKey = await anEnvironment();
      const run = aRun(environmentKey, { task: "task-149", deploymentVersion: "20261124.149" });
      await repository.upsertRuns([run, aRun(environmentKey)]);
      const tasks = Array.from({ length: 150 }, (_, i) => `task-${i}`);
      const versions = Array.from({ length: 150 }, (_, i) => `20261124.${i}`);
      expect(ids(await all(environmentKey, { tasks, versions, queues: [run.queue] }))).toEqual([run.id]);
    });
  });

  describe("listRunsOf", () => {
    it("goes through the pages of several environments as through one, and shows no other's", async () => {
      const own = [await anEnvironment(), await anEnvironment(), await anEnvironment()];
      const histories = own.map((environmentKey) => aHistory(environmentKey, 30));
      const other = aHistory(await anEnvironment(), 30);
      await repository.upsertRuns([...histories.flat(), ...other]);
      const history = histories.flat();
      for (const filter of [{}, ...filters(history)]) {
        const expected = ids(inOrder(history.filter((run) => matches(run, filter))));
        const forward: string[][] = [];
        let listing = await repository.listRunsOf(own, filter, { limit: 7 });
        for (;;) {
          forward.push(ids(listing.runs));
          if (listing.next === null) break;
          listing = await repository.listRunsOf(own, filter, { limit: 7, after: listing.next });
        }
        expect(forward.flat(), JSON.stringify(filter)).toEqual(expected);
        const backward: string[][] = [ids(listing.runs)];
        while (listing.previous !== null) {
          listing = await repository.listRunsOf(own, filter, { limit: 7, before: listing.previous });
          backward.unshift(ids(listing.runs));
        }
        expect(backward, JSON.stringify(filter)).toEqual(forward);
      }
      const nextToOther = { limit: 7, after: other[0]?.id };
      expect((await repository.listRunsOf(own, {}, nextToOther)).runs).toEqual([]);
      expect((await repository.listRunsOf([], {}, { limit: 7 })).runs).toEqual([]);
    });
  });

  describe("countRuns", () => {
    it("counts what the filter describes", async () => {
      const environmentKey = await anEnvironment();
      const history = aHistory(environmentKey, 120);
      await repository.upsertRuns(history);
      for (const filter of [{}, ...filters(history)]) {
        const expected: Record<string, number> = {};
        for (const run of history)
          if (matches(run, filter)) expected[run.status] = (expected[run.status] ?? 0) + 1;
        expect(await repository.countRuns(environmentKey, filter), JSON.stringify(filter)).toEqual(expected);
      }
    });
  });

  describe("countUnfinished", () => {
    it("counts the unfinished runs of this environment only", async () => {
      const [own, other] = [await anEnvironment(), await anEnvironment()];
      const history = aHistory(own, 120);
      await repository.upsertRuns([...history, aRun(other)]);
      const expected: Record<string, number> = {};
      for (const { status } of history) if (!isFinal(status)) expected[status] = (expected[status] ?? 0) + 1;
      expect(await repository.countUnfinished(own)).toEqual(expected);
      expect(await repository.countUnfinished(await anEnvironment())).toEqual({});
    });
  });

  describe("listBatchIds", () => {
    it("lists each batch once, newest first, in pages, of this environment alone", async () => {
      const [own, other] = [await anEnvironment(), await anEnvironment()];
      const idOf = (key: string, n: number) => `batch_${key}${String(n).padStart(9, "0")}00000000`;
      const batched = (key: string, n: number): RunRow => ({ ...aRun(key), batchId: idOf(key, n) });
      const rows = [3, 1, 2, 2, 2, 3].map((n) => batched(own, n));
      await repository.upsertRuns([...rows, aRun(own), batched(other, 9)]);
      expect(await repository.listBatchIds(own, 10)).toEqual([3, 2, 1].map((n) => idOf(own, n)));
      expect(await repository.listBatchIds(own, 2)).toEqual([3, 2].map((n) => idOf(own, n)));
      expect(await repository.listBatchIds(own, 2, idOf(own, 2))).toEqual([idOf(own, 1)]);
      expect(await repository.listBatchIds(await anEnvironment(), 2)).toEqual([]);
    });
  });

  it("ping answers", async () => {
    await expect(repository.ping()).resolves.toBeUndefined();
  });
}
