import { cutMiddle } from "@acme/sdk/contract";
import { log } from "../lib/log.ts";
import { attemptCompleted, attemptStarted, failReport, heartbeat } from "./attempts.ts";
import type { QueueContext } from "./context.ts";
import { appendJournal } from "./journal.ts";
import { type Lease, reportedBy } from "./lease.ts";
import type { QueueReport, QueueReportResult } from "./rpc.ts";
import { checkpointVerdict, suspendRun } from "./suspension.ts";

type Kind = keyof QueueReportResult;
type ItemOf<K extends Kind> = QueueReport[K][number];
type VerdictOf<K extends Kind> = QueueReportResult[K][number];

interface Handler<K extends Kind> {
  apply(q: QueueContext, item: ItemOf<K>): VerdictOf<K>;
  /** The answer for a run that this queue doesn't have, and for one whose item could not be stored. */
  gone: VerdictOf<K>;
  /** The answer for an item that could not be stored, if it differs from `gone`. */
  refused?: VerdictOf<K>;
}

/** The parts of a report, in the order in which they are applied: that of an attempt's life. */
const HANDLERS: { [K in Kind]: Handler<K> } = {
  started: { apply: attemptStarted, gone: "stale" },
  journals: { apply: appendJournal, gone: "stale" },
  completed: { apply: attemptCompleted, gone: "stale", refused: "ok" },
  suspensions: { apply: suspendRun, gone: { verdict: "stale" } },
  heartbeats: { apply: heartbeat, gone: "stale" },
  checkpoints: { apply: checkpointVerdict, gone: "drop" },
};

const mapReport = (
  report: QueueReport,
  verdictOf: <K extends Kind>(handler: Handler<K>, item: ItemOf<K>) => VerdictOf<K>,
): QueueReportResult => {
  const all = <K extends Kind>(kind: K): VerdictOf<K>[] => {
    // The element types of a report's lists depend on the kind, which TypeScript can't follow through `map`.
    const items = report[kind] as ItemOf<K>[];
    return items.map((item) => verdictOf(HANDLERS[kind] as Handler<K>, item));
  };
  return {
    started: all("started"),
    journals: all("journals"),
    completed: all("completed"),
    suspensions: all("suspensions"),
    heartbeats: all("heartbeats"),
    checkpoints: all("checkpoints"),
  };
};

/** Applies a host's report in the current commit. Throws if one of its items can't be stored. */
export const applyReport = (q: QueueContext, report: QueueReport): QueueReportResult =>
  reportedBy(q, report, () => mapReport(report, (handler, item) => handler.apply(q, item)));

/** The answer of a queue that was never triggered. */
export const answerUnknown = (report: QueueReport): QueueReportResult =>
  mapReport(report, (handler) => handler.gone);

/**
 * Applies a report that failed as a whole: each item in a commit of its own. The run of an item that fails
 * ends as SYSTEM_FAILURE with the reason, because otherwise its host would send that item forever. All other
 * items are applied.
 *
 * @param commit runs its argument in one transaction, and throws if that throws, with nothing kept
 */
export function applyOneByOne(
  report: QueueReport,
  commit: <T>(work: (q: QueueContext) => T) => T,
): QueueReportResult {
  return mapReport(report, (handler, item) => {
    try {
      return commit((q) => reportedBy(q, report, () => handler.apply(q, item)));
    } catch (error) {
      if (isStorageFailure(error)) throw error;
      log.error("A report about a run could not be stored; the run is failed", { run: item.runId, error });
      if ("token" in item)
        commit((q) => reportedBy(q, report, () => failReport(q, item as Lease, reasonOf(error))));
      return handler.refused ?? handler.gone;
    }
  });
}

const MAX_REASON_BYTES = 1_024;
const reasonOf = (error: unknown): string =>
  cutMiddle(error instanceof Error ? error.message : String(error), MAX_REASON_BYTES);

/** Returns whether the storage itself failed, so that the host must send the report again. */
export const isStorageFailure = (error: unknown): boolean =>
  /SQLITE_(FULL|IOERR|BUSY|LOCKED|NOMEM|CORRUPT|READONLY|CANTOPEN)|storage operation/i.test(
    error instanceof Error ? error.message : String(error),
  );
