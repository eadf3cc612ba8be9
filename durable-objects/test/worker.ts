/**
 * The Worker of the object tests: all objects, and a query side that the tests can inspect and disconnect.
 */

import { parseRunId, publicStatus } from "@acme/sdk/contract";
import type { RunSummary } from "@acme/sdk/contract/live";
import {
  batchObject,
  dispatcherObject,
  environmentObject,
  feedObject,
  liveObject,
  queueObject,
  waitpointObject,
} from "../src/index.ts";
import { compileFilter, newestFirst } from "../src/live/filter.ts";
import type { LivePrincipal, LiveRpc } from "../src/live/rpc.ts";
import type { ObjectBindings, RunRow } from "../src/rpc.ts";
import type { WaitpointRow } from "../src/waitpoint/rpc.ts";

export const querySide = {
  rows: new Map<string, RunRow>(),
  waitpoints: new Map<string, WaitpointRow>(),
  away: false,
};

/**
 * Tokens that may open live connections, revoked keys and sessions, and the maximum number of connections.
 */
export const livePrincipals = new Map<string, LivePrincipal>();
export const overProofs = new Set<string>();
export const mostSockets = { each: 1_000, all: 1_000 };
/** Runs whose feeds do not reach the live side. */
export const feedsCutOff = new Set<string>();

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
export class DispatcherObject extends dispatcherObject<ObjectBindings>({
  dequeueResponse: (_env, _hostId, result) =>
    `{"runs":[${result.runs.map(({ json }) => json).join(",")}],"notices":${JSON.stringify(result.notices)},"now":${result.now}${result.ended ? ',"ended":true' : ""}}`,
  async applyReport(env, report) {
    const [lease] = report.completed;
    const queueKey = lease && parseRunId(lease.runId)?.queueKey;
    if (!queueKey)
      return {
        started: [],
        completed: [],
        heartbeats: [],
        journals: [],
        suspensions: [],
        checkpoints: [],
        apiTokens: [],
        logs: [],
      };
    const result = await env.QUEUE.getByName(queueKey).applyReports(report);
    return { ...result, apiTokens: [], logs: [] };
  },
  deployment: async () => null,
  isValid: async (_env, { proof }) => !overProofs.has(proof),
}) {}
export class FeedObject extends feedObject<ObjectBindings>() {}
export class WaitpointObject extends waitpointObject<ObjectBindings>({ openProjection: () => projection }) {}
/** Settings of the live tests: rows that the query side lists, and tokens that may connect. */
const LiveObjectBase = liveObject<ObjectBindings>({
  async listRuns(_env, environmentKey, filter, limit) {
    const { matches } = compileFilter(filter);
    const rows = [...querySide.rows.values()].filter(
      (row) => row.environmentKey === environmentKey && matches(row),
    );
    rows.sort(newestFirst);
    return { runs: rows.slice(0, limit), more: rows.length > limit };
  },
  async countUnfinished() {
    return {};
  },
  summaryOf: (run) => ({ id: run.id, status: publicStatus(run.status), tags: run.tags }) as RunSummary,
  async authenticate(_env, token) {
    const principal = livePrincipals.get(token);
    return principal ?? { error: { status: 401, code: "invalid_api_key", message: "Unknown token" } };
  },
  async isValid(_env, { proof }) {
    return !overProofs.has(proof);
  },
  mostSockets: () => mostSockets,
});
export class LiveObject extends LiveObjectBase {
  override async logsAppended(...[runId, ...more]: Parameters<LiveRpc["logsAppended"]>): Promise<boolean> {
    if (feedsCutOff.has(runId)) throw new Error("the live side is away");
    return super.logsAppended(runId, ...more);
  }

  override async streamAppended(
    ...[runId, ...more]: Parameters<LiveRpc["streamAppended"]>
  ): Promise<boolean> {
    if (feedsCutOff.has(runId)) throw new Error("the live side is away");
    return super.streamAppended(runId, ...more);
  }
}
export class BatchObject extends batchObject<ObjectBindings>() {}

export default { fetch: () => new Response("object tests") };
