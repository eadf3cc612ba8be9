/** The Worker of the object tests: all objects, and a query side that the tests can look at and take away. */
import { dispatcherObject, environmentObject, feedObject, queueObject } from "../src/index.ts";
import type { ObjectBindings, RunRow } from "../src/rpc.ts";

export const querySide = { rows: new Map<string, RunRow>(), away: false };

const projection = {
  async upsertRuns(rows: RunRow[]) {
    if (querySide.away) throw new Error("the query side is away");
    for (const row of rows) {
      const known = querySide.rows.get(row.id);
      if (!known || row.version > known.version) querySide.rows.set(row.id, row);
    }
  },
};

export class QueueObject extends queueObject<ObjectBindings>({ openProjection: () => projection }) {}
export class EnvironmentObject extends environmentObject<ObjectBindings>() {}
export class DispatcherObject extends dispatcherObject<ObjectBindings>() {}
export class FeedObject extends feedObject<ObjectBindings>() {}

export default { fetch: () => new Response("object tests") };
