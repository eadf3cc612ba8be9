import type { QueueReport, QueueReportResult } from "@acme/durable-objects/rpc";
import {
  DequeueRequest,
  type HostDeployment,
  type LeaseVerdict,
  parseRunId,
  ReportRequest,
  type ReportResponse,
  type SuspensionVerdict,
} from "@acme/sdk/contract";
import { ContentHash } from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { type App, authenticateSecret } from "../auth.ts";
import type { Bindings } from "../bindings.ts";
import { readBody } from "../body.ts";
import { Cache } from "../cache.ts";
import { Failure } from "../failure.ts";
import { dispatcherObject, queueObjectOf, runFeed } from "../objects.ts";
import { openBlobs } from "../storage/blobs.ts";
import { openRepository } from "../storage/open.ts";
import { issueToken } from "../tokens.ts";

const REPORT_BYTES = 32 * 1024 * 1024;
/** A token for code inside runs outlives any run of today's longest allowed duration. */
const RUN_TOKEN_SECONDS = 30 * 24 * 3_600;
/** A host says it is alive through its polls; reports repeat it at most this often. */
const SEEN_EVERY_MS = 5_000;

const seen = new Cache<true>(SEEN_EVERY_MS);

export const hostRoutes = new Hono<App>()
  .post("/engine/v1/worker-actions/dequeue", async (c) => {
    authenticateHost(c);
    const request = await readBody(c, DequeueRequest);
    const { runs, notices, now, ended } = await dispatcherObject(c.env).poll(request);
    const body = `{"runs":[${runs.join(",")}],"notices":${JSON.stringify(notices)},"now":${now}${ended ? ',"ended":true' : ""}}`;
    return c.body(body, 200, { "content-type": "application/json" });
  })
  .post("/engine/v1/worker-actions/report", async (c) => {
    authenticateHost(c);
    const report = await readBody(c, ReportRequest, REPORT_BYTES);
    const { hostId, sessionId } = report;
    const parts = [...Map.groupBy(leasesOf(report), ({ runId }) => parseRunId(runId)?.queueKey ?? "")];
    const verdicts = new Map<string, LeaseVerdict | SuspensionVerdict>();
    const queues = parts.map(async ([queueKey, leases]) => {
      const own = { hostId, sessionId, ...ownPart(report, queueKey) };
      const result = queueKey === "" ? null : await answerOf(c.env, queueKey, own);
      for (const { kind, runId, token, index } of leases) {
        verdicts.set(
          `${kind} ${runId} ${token}`,
          queueKey === "" ? "stale" : (result?.[kind][index] ?? "retry"),
        );
      }
    });
    const logs = report.logs.map(({ runId, attempt, entries }) =>
      runFeed(c.env, runId).appendLogs(attempt, entries),
    );
    await Promise.all([...queues, ...logs, sayAlive(c.env, hostId, sessionId, report.goodbye ?? false)]);
    const verdictsOf = (kind: Exclude<Kind, "suspensions">): LeaseVerdict[] =>
      report[kind].map(
        ({ runId, token }) =>
          (verdicts.get(`${kind} ${runId} ${token}`) as LeaseVerdict | undefined) ?? "retry",
      );
    const body: ReportResponse = {
      started: verdictsOf("started"),
      completed: verdictsOf("completed"),
      heartbeats: verdictsOf("heartbeats"),
      journals: verdictsOf("journals"),
      suspensions: report.suspensions.map(({ runId, token }) =>
        asSuspension(verdicts.get(`suspensions ${runId} ${token}`) ?? "retry"),
      ),
    };
    return c.json(body);
  })
  .get("/engine/v1/worker-actions/deployments/:id", async (c) => {
    authenticateHost(c);
    const found = await openRepository(c.env).findDeployment(c.req.param("id"));
    if (!found)
      throw new Failure(404, "deployment_not_found", `Deployment ${c.req.param("id")} was not found.`);
    const exp = Math.floor(Date.now() / 1000) + RUN_TOKEN_SECONDS;
    const body: HostDeployment = {
      id: found.id,
      version: found.version,
      contentHash: found.contentHash,
      bundleBytes: found.bundleBytes,
      manifest: found.manifest,
      env: {},
      apiToken: issueToken({ env: found.environmentKey, kind: "run", exp }, c.env.SIGNING_KEY),
    };
    return c.json(body);
  })
  .get("/engine/v1/worker-actions/bundles/:hash", async (c) => {
    authenticateHost(c);
    const hash = ContentHash.safeParse(c.req.param("hash"));
    const bytes = hash.success ? await openBlobs(c.env).get(`bundles/${hash.data}`) : null;
    if (!bytes) throw new Failure(404, "bundle_not_found", `Bundle ${c.req.param("hash")} was not found.`);
    return c.body(bytes, 200, { "content-type": "text/javascript" });
  });

const KINDS = ["started", "journals", "completed", "suspensions", "heartbeats"] as const;
type Kind = (typeof KINDS)[number];

const asSuspension = (verdict: LeaseVerdict | SuspensionVerdict): SuspensionVerdict =>
  typeof verdict === "object" ? verdict : { verdict: verdict === "ok" ? "suspended" : verdict };

type Report = ReturnType<typeof ReportRequest.parse>;

function authenticateHost(c: Context<App>): void {
  authenticateSecret(c, c.env.HOST_TOKEN, "host token");
}

/** Every lease a report names, with its place among those of its queue. */
function* leasesOf(report: Report): Generator<{ kind: Kind; runId: string; token: number; index: number }> {
  for (const kind of KINDS) {
    const places = new Map<string, number>();
    for (const { runId, token } of report[kind]) {
      const queueKey = parseRunId(runId)?.queueKey ?? "";
      const index = places.get(queueKey) ?? 0;
      places.set(queueKey, index + 1);
      yield { kind, runId, token, index };
    }
  }
}

function ownPart(report: Report, queueKey: string): Pick<QueueReport, Kind> {
  const mine = ({ runId }: { runId: string }) => parseRunId(runId)?.queueKey === queueKey;
  return {
    started: report.started.filter(mine),
    completed: report.completed.filter(mine),
    heartbeats: report.heartbeats.filter(mine),
    journals: report.journals.filter(mine),
    suspensions: report.suspensions.filter(mine),
  };
}

/** Null where the queue's object could not be reached: its part is to be sent again. */
async function answerOf(
  env: Bindings,
  queueKey: string,
  report: QueueReport,
): Promise<QueueReportResult | null> {
  try {
    return await queueObjectOf(env, queueKey).applyReports(report);
  } catch (error) {
    console.error(
      `Queue ${queueKey} could not take a report of host ${report.hostId}; the host sends it again`,
      error,
    );
    return null;
  }
}

async function sayAlive(env: Bindings, hostId: string, sessionId: string, goodbye: boolean): Promise<void> {
  if (!goodbye && seen.get(sessionId)) return;
  seen.set(sessionId, true);
  await dispatcherObject(env).hostSeen(hostId, sessionId, goodbye);
}
