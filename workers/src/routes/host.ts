import type { QueueReport, QueueReportResult } from "@acme/durable-objects/rpc";
import {
  type CheckpointVerdict,
  DequeueRequest,
  type HostDeployment,
  type LeaseVerdict,
  parseRunId,
  ReportRequest,
  type ReportResponse,
  type SuspensionVerdict,
} from "@acme/sdk/contract";
import { ContentHash } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import { issueToken } from "../auth/tokens.ts";
import type { App, Bindings } from "../bindings.ts";
import { openVariables } from "../control/variables.ts";
import { readBody } from "../http/body.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { dispatcherObject, queueObjectOf, runFeed } from "../objects.ts";
import { openBlobs } from "../storage/blobs.ts";
import { openRepository } from "../storage/open.ts";
import { mayBeLarge, offload, STORED } from "../storage/packets.ts";
import { openSql } from "../storage/sql-connection.ts";

const REPORT_BYTES = 32 * 1024 * 1024;
/** A token for code inside runs outlives any run of today's longest allowed duration. */
const RUN_TOKEN_SECONDS = 30 * 24 * 3_600;
/** A host says it is alive through its polls; reports repeat it at most this often. */
const SEEN_EVERY_MS = 5_000;

const seen = new Cache<true>(SEEN_EVERY_MS);

export const hostRoutes = new Hono<App>()
  .post("/engine/v1/worker-actions/dequeue", access("dequeueRuns"), async (c) => {
    const request = await readBody(c, DequeueRequest);
    const { runs, notices, now, ended } = await dispatcherObject(c.env).poll(request);
    const body = `{"runs":[${runs.join(",")}],"notices":${JSON.stringify(notices)},"now":${now}${ended ? ',"ended":true' : ""}}`;
    return c.body(body, 200, { "content-type": "application/json" });
  })
  .post("/engine/v1/worker-actions/report", access("reportRuns"), async (c) => {
    const report = await withStoredOutputs(c.env, await readBody(c, ReportRequest, REPORT_BYTES));
    const { hostId, sessionId } = report;
    const verdicts = new Map<string, Verdict>();
    const queues = [...partsOf(report)].map(async ([queueKey, part]) => {
      const result = queueKey === "" ? null : await answerOf(c.env, queueKey, { hostId, sessionId, ...part });
      const missing = queueKey === "" ? "stale" : "retry";
      for (const kind of KINDS) {
        for (const [index, item] of part[kind].entries())
          verdicts.set(`${kind} ${keyOf(item)}`, result?.[kind][index] ?? missing);
      }
    });
    const logs = report.logs.map(({ runId, attempt, entries }) =>
      runFeed(c.env, runId).appendLogs(attempt, entries),
    );
    await Promise.all([...queues, ...logs, sayAlive(c.env, hostId, sessionId, report.goodbye ?? false)]);
    const verdictsOf = (kind: LeaseKind): LeaseVerdict[] =>
      report[kind].map((item) => (verdicts.get(`${kind} ${keyOf(item)}`) as LeaseVerdict) ?? "retry");
    const body: ReportResponse = {
      started: verdictsOf("started"),
      completed: verdictsOf("completed"),
      heartbeats: verdictsOf("heartbeats"),
      journals: verdictsOf("journals"),
      suspensions: report.suspensions.map((item) => {
        const verdict = verdicts.get(`suspensions ${keyOf(item)}`) as SuspensionVerdict | LeaseVerdict;
        return typeof verdict === "object" ? verdict : { verdict: verdict === "stale" ? "stale" : "retry" };
      }),
      // A run that no queue can have had is none to keep anything for; a queue that did not answer is asked again later.
      checkpoints: report.checkpoints.map((item) => {
        const verdict = verdicts.get(`checkpoints ${keyOf(item)}`);
        return verdict === "drop" || verdict === "stale" ? "drop" : "keep";
      }),
    };
    return c.json(body);
  })
  .get("/engine/v1/worker-actions/deployments/:id", access("getHostDeployment"), async (c) => {
    const found = await openRepository(c.env).findDeployment(c.req.param("id"));
    if (!found)
      throw new Failure(404, "deployment_not_found", `Deployment ${c.req.param("id")} was not found.`);
    const exp = Math.floor(Date.now() / 1000) + RUN_TOKEN_SECONDS;
    const variables = await openVariables(c.env, openSql(c.env), found.environmentKey);
    const body: HostDeployment = {
      id: found.id,
      version: found.version,
      contentHash: found.contentHash,
      bundleBytes: found.bundleBytes,
      manifest: found.manifest,
      env: variables.env,
      secretNames: variables.secretNames,
      apiToken: issueToken(c.env, { env: found.environmentKey, kind: "run", exp }),
    };
    return c.json(body);
  })
  .get("/engine/v1/worker-actions/bundles/:hash", access("downloadBundle"), async (c) => {
    const hash = ContentHash.safeParse(c.req.param("hash"));
    const bytes = hash.success ? await openBlobs(c.env).get(`bundles/${hash.data}`) : null;
    if (!bytes) throw new Failure(404, "bundle_not_found", `Bundle ${c.req.param("hash")} was not found.`);
    return c.body(bytes, 200, { "content-type": "text/javascript" });
  });

const KINDS = ["started", "journals", "completed", "suspensions", "heartbeats", "checkpoints"] as const;
type Kind = (typeof KINDS)[number];
type LeaseKind = Exclude<Kind, "suspensions" | "checkpoints">;
type Verdict = LeaseVerdict | SuspensionVerdict | CheckpointVerdict;

type Report = ReturnType<typeof ReportRequest.parse>;

/** The report with outputs that are too large for a queue's database in the blob store. Throws where that fails: it is sent again. */
async function withStoredOutputs(env: Bindings, report: Report): Promise<Report> {
  const needsWork = ({ outcome }: Report["completed"][number]) =>
    outcome.type === "success" && (mayBeLarge(outcome.output) || outcome.outputType === STORED);
  if (!report.completed.some(needsWork)) return report;
  const completed = report.completed.map(async (attempt) => {
    const { outcome, runId } = attempt;
    const environmentKey = parseRunId(runId)?.environmentKey;
    if (outcome.type !== "success" || !outcome.output || environmentKey === undefined) return attempt;
    // A task returns values. Only the server writes references: one that comes from outside is text like any other.
    const packet = {
      text: outcome.output,
      type: outcome.outputType === STORED ? "text/plain" : outcome.outputType,
    };
    const { text, type } = await offload(env, { key: environmentKey }, packet);
    return { ...attempt, outcome: { ...outcome, output: text, outputType: type } };
  });
  return { ...report, completed: await Promise.all(completed) };
}

const keyOf = (item: { runId: string; token?: number; id?: string }): string =>
  `${item.runId} ${item.token ?? item.id}`;

type Part = Pick<QueueReport, Kind>;

/** What a report tells or asks of each queue, in its order. Under "": of runs that no queue can have had. */
function partsOf(report: Report): Map<string, Part> {
  const parts = new Map<string, Part>();
  const of = ({ runId }: { runId: string }): Part => {
    const queueKey = parseRunId(runId)?.queueKey ?? "";
    let part = parts.get(queueKey);
    if (!part) {
      part = { started: [], journals: [], completed: [], suspensions: [], heartbeats: [], checkpoints: [] };
      parts.set(queueKey, part);
    }
    return part;
  };
  for (const item of report.started) of(item).started.push(item);
  for (const item of report.journals) of(item).journals.push(item);
  for (const item of report.completed) of(item).completed.push(item);
  for (const item of report.suspensions) of(item).suspensions.push(item);
  for (const item of report.heartbeats) of(item).heartbeats.push(item);
  for (const item of report.checkpoints) of(item).checkpoints.push(item);
  return parts;
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
