/** The Worker of the object tests: all objects, and a query side that the tests can look at and take away. */
import {
  batchObject,
  dispatcherObject,
  environmentObject,
  feedObject,
  queueObject,
  waitpointObject,
} from "../src/index.ts";
import type { ObjectBindings, RunRow } from "../src/rpc.ts";
import type { WaitpointRow } from "../src/waitpoint/rpc.ts";

export const querySide = {
  rows: new Map<string, RunRow>(),
  waitpoints: new Map<string, WaitpointRow>(),
  away: false,
};

const projection = {
  async upsertRuns(rows: RunRow[]) {
    if (querySide.away) throw new Error("the query side is away");
    for (const row of rows) {
      const known = querySide.rows.get(row.id);
      if (!known || row.version > known.version) querySide.rows.set(row.id, row);
    }
  },
  async upsertWaitpoints(rows: WaitpointRow[]) {
    if (querySide.away) throw new Error("the query side is away");
    for (const row of rows) {
      const known = querySide.waitpoints.get(row.id);
      if (!known || row.version > known.version) querySide.waitpoints.set(row.id, row);
    }
  },
};

export class QueueObject extends queueObject<ObjectBindings>({ openProjection: () => projection }) {}
export class EnvironmentObject extends environmentObject<ObjectBindings>() {}
export class DispatcherObject extends dispatcherObject<ObjectBindings>() {}
export class FeedObject extends feedObject<ObjectBindings>() {}
export class WaitpointObject extends waitpointObject<ObjectBindings>({ openProjection: () => projection }) {}
export class BatchObject extends batchObject<ObjectBindings>() {}

export default { fetch: () => new Response("object tests") };
