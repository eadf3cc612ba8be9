import type { ApiRequestOptions } from "../client/request-options.ts";
import { downloadRunPacket } from "../client/runs-api.ts";
import type { LiveRun } from "../contract/live.ts";
import type { LiveSkipColumn } from "../contract/live-constants.ts";
import { type Download, decodedRun } from "./decoded-run.ts";
import type { LiveClient } from "./live-client.ts";
import type { LiveError } from "./live-error.ts";
import type { LiveSubscription } from "./live-options.ts";
import { type LiveConnection, sharedClient } from "./shared-client.ts";
import type { LiveRunsUpdate } from "./watches.ts";

/** States of runs that were not consumed yet: only the latest of each run. */
class LatestStates {
  readonly #states = new Map<string, LiveRun>();
  #error: LiveError | null = null;
  #ended = false;
  #wake: () => void = () => {};

  put(run: LiveRun): void {
    this.#states.set(run.id, run);
    this.#wake();
  }

  fail(error: LiveError): void {
    this.#error = error;
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Resolves to null if there are no more. @throws LiveError if the subscription was refused */
  async take(): Promise<LiveRun | null> {
    for (;;) {
      const next = this.#states.entries().next();
      if (!next.done) {
        this.#states.delete(next.value[0]);
        return next.value[1];
      }
      if (this.#error) throw this.#error;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export type UpdatesOf = { skipColumns?: LiveSkipColumn[] | undefined } & (
  | { runId: string; stopOnCompletion: boolean }
  | { tags: string[]; from: number | undefined }
  | { batchId: string }
);

const LIST = { limit: 1_000, data: true };
/** The runs of which the last state is remembered, so that a snapshot does not repeat it. */
const KNOWN = 2 * LIST.limit;

/**
 * Iterates over the states of one run, or of each run of a list, beginning with the current ones. A slow
 * consumer misses intermediate states. The iteration over one run ends when the run does.
 * @throws LiveError if the run may not be watched, or doesn't exist
 */
export async function* runUpdates(
  what: UpdatesOf,
  connection: LiveConnection,
  signal: AbortSignal,
  request: ApiRequestOptions | undefined,
): AsyncGenerator<Record<string, unknown>> {
  const states = new LatestStates();
  const subscription = subscribe(sharedClient(connection), what, states);
  const download: Download = (runId, field) => downloadRunPacket(runId, field, request);
  const onAbort = () => states.end();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) states.end();
  try {
    for (;;) {
      const run = await states.take();
      if (!run) return;
      yield await decodedRun(run, download);
      if ("runId" in what && what.stopOnCompletion && run.finishedAt !== undefined) return;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    subscription.unsubscribe();
  }
}

function subscribe(client: LiveClient, what: UpdatesOf, states: LatestStates): LiveSubscription {
  const onError = (error: LiveError) => states.fail(error);
  const { skipColumns } = what;
  if ("runId" in what) return client.run(what.runId, ({ run }) => states.put(run), { skipColumns, onError });
  /** The last state of each run that changed lately, in the order of the changes. */
  const known = new Map<string, number>();
  const put = ({ kind, runs }: LiveRunsUpdate): void => {
    // A snapshot is newest first; states are yielded in the order of their creation.
    for (const run of kind === "snapshot" ? runs.toReversed() : runs) {
      if ((known.get(run.id) ?? -1) >= run.position) continue;
      known.delete(run.id);
      known.set(run.id, run.position);
      states.put(run);
    }
    for (const id of known.keys()) {
      if (known.size <= KNOWN) break;
      known.delete(id);
    }
  };
  const options = { ...LIST, skipColumns };
  if ("batchId" in what)
    return client.batch(what.batchId, ({ update }) => put(update), { ...options, onError });
  const filter = {
    ...(what.tags.length > 0 ? { allTags: what.tags } : {}),
    ...(what.from === undefined ? {} : { from: what.from }),
  };
  return client.runs({ ...options, filter }, ({ update }) => put(update), { onError });
}
