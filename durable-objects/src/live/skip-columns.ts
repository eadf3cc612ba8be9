import { LIVE_SKIP_COLUMNS, type LiveRun, type LiveSkipColumn } from "@acme/sdk/contract/live";

/** Columns that a subscription leaves out of runs. Subscriptions with the same `key` get the same texts. */
export interface SkipColumns {
  readonly key: string;
  readonly columns: readonly LiveSkipColumn[];
}

export const NOTHING_SKIPPED: SkipColumns = { key: "", columns: [] };

const SKIPPABLE = new Set<string>(LIVE_SKIP_COLUMNS);

export const knownColumns = (columns: readonly string[]): LiveSkipColumn[] =>
  columns.filter((column): column is LiveSkipColumn => SKIPPABLE.has(column));

/** The fields that a token hides apply, whatever the subscription requests. */
export function skipColumnsOf(
  token: readonly LiveSkipColumn[] | undefined,
  target: readonly LiveSkipColumn[] | undefined,
): SkipColumns {
  const columns = [...new Set(token ?? target ?? [])].sort();
  return columns.length === 0 ? NOTHING_SKIPPED : { key: columns.join(), columns };
}

/**
 * Returns a run without these columns. The fields for its identity and its end are always kept, as in
 * Trigger.dev's protocol.
 */
export function withoutColumns(run: LiveRun, { columns }: SkipColumns): LiveRun {
  if (columns.length === 0) return run;
  const { data, ...rest } = run;
  const left: LiveRun = { ...rest, ...(data ? { data: { ...data } } : {}) };
  for (const column of columns) WITHOUT[column](left);
  return left;
}

const nothing = (): void => {};

const WITHOUT: Record<LiveSkipColumn, (run: LiveRun) => void> = {
  startedAt: (run) => delete run.startedAt,
  delayUntil: (run) => delete run.delayedUntil,
  queuedAt: nothing,
  expiredAt: (run) => delete run.expiredAt,
  // Without this field, clients would not see the end of the run.
  completedAt: nothing,
  number: nothing,
  isTest: (run) => {
    run.isTest = false;
  },
  usageDurationMs: (run) => {
    run.durationMs = 0;
  },
  costInCents: (run) => {
    run.costInCents = 0;
  },
  baseCostInCents: (run) => {
    run.baseCostInCents = 0;
  },
  ttl: (run) => delete run.ttl,
  payload: (run) => delete run.data?.payload,
  payloadType: nothing,
  metadata: (run) => delete run.data?.metadata,
  output: (run) => delete run.data?.output,
  outputType: nothing,
  runTags: (run) => {
    run.tags = [];
  },
  error: (run) => delete run.data?.error,
};
