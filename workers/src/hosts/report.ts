import { log } from "@acme/durable-objects/lib/log";
import type { QueueReport, QueueReportResult } from "@acme/durable-objects/rpc";
import {
  type AttemptCompleted,
  type CheckpointVerdict,
  type LeaseVerdict,
  parseRunId,
  type ReportRequest,
  type ReportResponse,
  type SuspensionVerdict,
} from "@acme/sdk/contract";
import type { z } from "zod";
import type { Bindings } from "../bindings.ts";
import { queueObjectOf } from "../objects.ts";
import { mayBeLarge, offload, STORED } from "../storage/packets.ts";
import { appendTelemetryOfRuns, type BatchesOfRun } from "../telemetry/append.ts";
import { takeTelemetry } from "../telemetry/ingest-limit.ts";
import type { TelemetryBatch } from "../telemetry/store.ts";
import { inTime } from "./in-time.ts";
import { issueRunToken, markEnded, provesLease } from "./run-tokens.ts";

type Report = z.output<typeof ReportRequest>;

const KINDS = ["started", "journals", "completed", "suspensions", "heartbeats", "checkpoints"] as const;
type Kind = (typeof KINDS)[number];
type Verdict = LeaseVerdict | SuspensionVerdict | CheckpointVerdict;
type Part = Pick<QueueReport, Kind>;
type Item = Part[Kind][number];

/**
 * Passes a host's report on to the queues and feeds of its runs. Each queue, each output and each run's logs
 * are independent: a part that fails or takes too long is answered with "retry", and does not affect the
 * others.
 */
export async function applyReport(env: Bindings, report: Report): Promise<ReportResponse> {
  const { hostId, sessionId } = report;
  const stored = await storeOutputs(env, report.completed);
  // By the items themselves: a text made for each item as a key would stay in V8's old generation until a full collection.
  const verdicts = new Map<Item, Verdict>();
  const queues = [...partsOf({ ...report, completed: stored })].map(async ([queueKey, part]) => {
    const result = queueKey === "" ? null : await answerOf(env, queueKey, { hostId, sessionId, ...part });
    const missing = queueKey === "" ? "stale" : "retry";
    for (const kind of KINDS) {
      for (const [index, item] of part[kind].entries()) verdicts.set(item, result?.[kind][index] ?? missing);
    }
  });
  const logs = recordsOfRuns(env, hostId, report.logs);
  await Promise.all(queues);
  const verdictOf = (item: Item | null): LeaseVerdict =>
    (item && (verdicts.get(item) as LeaseVerdict | undefined)) ?? "retry";
  const completed = stored.map(verdictOf);
  const heartbeats = report.heartbeats.map(verdictOf);
  const suspensions = report.suspensions.map((item): SuspensionVerdict => {
    const verdict = verdicts.get(item) as SuspensionVerdict | LeaseVerdict;
    return typeof verdict === "object" ? verdict : { verdict: verdict === "stale" ? "stale" : "retry" };
  });
  for (const [index, lease] of report.completed.entries()) if (completed[index] === "ok") markEnded(lease);
  for (const [index, lease] of report.suspensions.entries())
    if (suspensions[index]?.verdict === "suspended") markEnded(lease);
  return {
    started: report.started.map(verdictOf),
    completed,
    heartbeats,
    journals: report.journals.map(verdictOf),
    suspensions,
    // The host drops the checkpoint of a run that no queue can own, and asks again if a queue did not answer.
    checkpoints: report.checkpoints.map((item) => {
      const verdict = verdicts.get(item);
      return verdict === "drop" || verdict === "stale" ? "drop" : "keep";
    }),
    apiTokens: report.heartbeats.map((lease, index) =>
      heartbeats[index] === "ok" ? issueRunToken(env, hostId, lease) : null,
    ),
    logs: await logs,
  };
}

type ParsedLogs = Report["logs"][number];

/**
 * The batches of one run are stored in order: batches after one that could not be stored have to be sent
 * again after it.
 */
async function recordsOfRuns(
  env: Bindings,
  hostId: string,
  records: ParsedLogs[],
): Promise<("ok" | "refused" | "retry")[]> {
  const verdicts = records.map((): "ok" | "refused" | "retry" => "retry");
  const runs = new Map<string, BatchesOfRun & { indexes: number[]; isFull: boolean }>();
  for (const [index, record] of records.entries()) {
    const { apiToken, runId } = record;
    if (!provesLease(env, apiToken, { hostId, runId })) {
      verdicts[index] = "refused";
      continue;
    }
    const environment = parseRunId(runId)?.environmentKey ?? "";
    const run = runs.get(runId) ?? { environment, runId, batches: [], indexes: [], isFull: false };
    runs.set(runId, run);
    const batch = batchOf(record);
    // The host sends it again, without delaying the runs of other environments.
    run.isFull ||= takeTelemetry(env, environment, batch) > 0;
    if (run.isFull) continue;
    run.batches.push(batch);
    run.indexes.push(index);
  }
  const stored = await appendTelemetryOfRuns(env, [...runs.values()]);
  for (const [place, { indexes }] of [...runs.values()].entries())
    for (const index of indexes.slice(0, stored[place])) verdicts[index] = "ok";
  return verdicts;
}

function batchOf({ attempt, batch, entries, spans = [], metrics = [], runId }: ParsedLogs): TelemetryBatch {
  const { sender, number } = batch ?? { sender: crypto.randomUUID(), number: 0 };
  const of = { runId, attempt };
  return {
    // A batch contains several runs, and several of them can belong to one trace.
    sender: `${sender} ${runId}`,
    number,
    logs: entries.map((entry) => ({ ...entry, ...of, seq: 0 })),
    spans: spans.map((span) => ({ ...span, ...of })),
    metrics: metrics.map((point) => ({ ...point, ...of })),
  };
}

type Completed = Report["completed"][number];

/** Outputs that are too large for a queue's database go to the blob store. Null: this one can't be stored now. */
async function storeOutputs(env: Bindings, completed: Completed[]): Promise<(Completed | null)[]> {
  if (!completed.some(needsWork)) return completed;
  return Promise.all(completed.map((attempt) => (needsWork(attempt) ? storeOutput(env, attempt) : attempt)));
}

const needsWork = ({ outcome }: AttemptCompleted): boolean =>
  outcome.type === "success" && (mayBeLarge(outcome.output) || outcome.outputType === STORED);

async function storeOutput(env: Bindings, attempt: Completed): Promise<Completed | null> {
  const { outcome, runId } = attempt;
  const environmentKey = parseRunId(runId)?.environmentKey;
  if (outcome.type !== "success" || !outcome.output || environmentKey === undefined) return attempt;
  // Tasks return values, and only the server creates references: a reference from outside is treated as text.
  const packet = {
    text: outcome.output,
    type: outcome.outputType === STORED ? "text/plain" : outcome.outputType,
  };
  try {
    const { text, type } = await inTime(offload(env, { key: environmentKey }, packet));
    return { ...attempt, outcome: { ...outcome, output: text, outputType: type } };
  } catch (error) {
    log.error("The output of a run could not be stored; the host sends it again", { run: runId, error });
    return null;
  }
}

type Reported = Pick<Report, Exclude<Kind, "completed">> & { completed: (Completed | null)[] };

/**
 * Groups a report's items by queue, in their order. Items about runs that no queue can have had are under "".
 */
function partsOf(report: Reported): Map<string, Part> {
  const parts = new Map<string, Part>();
  let last: { queueKey: string; part: Part } | undefined;
  const of = ({ runId }: { runId: string }): Part => {
    const queueKey = parseRunId(runId)?.queueKey ?? "";
    // Most items of a report are about one queue.
    if (last?.queueKey === queueKey) return last.part;
    let part = parts.get(queueKey);
    if (!part) {
      part = { started: [], journals: [], completed: [], suspensions: [], heartbeats: [], checkpoints: [] };
      parts.set(queueKey, part);
    }
    last = { queueKey, part };
    return part;
  };
  for (const item of report.started) of(item).started.push(item);
  for (const item of report.journals) of(item).journals.push(item);
  for (const item of report.completed) if (item) of(item).completed.push(item);
  for (const item of report.suspensions) of(item).suspensions.push(item);
  for (const item of report.heartbeats) of(item).heartbeats.push(item);
  for (const item of report.checkpoints) of(item).checkpoints.push(item);
  return parts;
}

/** Returns null if the queue's object could not be reached, so that its part has to be sent again. */
async function answerOf(
  env: Bindings,
  queueKey: string,
  report: QueueReport,
): Promise<QueueReportResult | null> {
  try {
    return await inTime(queueObjectOf(env, queueKey).applyReports(report));
  } catch (error) {
    log.error("A queue could not take a report of a host, which sends it again", {
      queue: queueKey,
      host: report.hostId,
      error,
    });
    return null;
  }
}
