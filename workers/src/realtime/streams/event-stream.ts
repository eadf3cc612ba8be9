import type { FeedRpc, LiveRpc, StreamRecord } from "@acme/durable-objects/rpc";
import { isFinal } from "@acme/sdk/contract";

/** A comment is sent this often, so that proxies keep the connection. */
const PING_MS = 12_000;
const RUN_WAIT_MS = 50_000;

interface Source {
  feed: FeedRpc;
  live: LiveRpc;
  runId: string;
  key: string;
  /** Number of the last record that the reader has. */
  after: number;
  /** After this long without a record the stream ends. Null: it ends with the run. */
  timeoutMs: number | null;
}

/**
 * Sends the records of a stream as server-sent events (version 2 of Trigger.dev's streams). The body ends
 * when the run is finished and everything is delivered, or no record arrived within the reader's timeout. A
 * reader treats a regular end as the end of the stream, so the body is aborted when an object fails, and the
 * reader reconnects.
 */
export function eventStream(source: Source): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const { feed, key, timeoutMs } = source;
  let { after } = source;
  let stopped = false;
  let over = false;
  let failed: unknown = null;
  const end = endOfRun(source, () => stopped).then(
    () => {
      over = true;
    },
    (error: unknown) => {
      failed = error;
    },
  );
  let quietSince = Date.now();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (;;) {
          if (failed) throw failed;
          // Checked before the records are read, so that everything written before the end is among them.
          const last = over;
          const left = timeoutMs === null ? PING_MS : quietSince + timeoutMs - Date.now();
          const waitMs = last ? 0 : Math.max(0, Math.min(PING_MS, left));
          const reading = feed.readRecords(key, after, waitMs);
          // Abandoned if the run ends first; then the stream is read again, to its end.
          reading.catch(() => {});
          const records = await (last ? reading : Promise.race([reading, end.then(() => null)]));
          if (records === null) continue;
          if (records.length > 0) {
            after = records.at(-1)?.seq ?? after;
            quietSince = Date.now();
            controller.enqueue(encoder.encode(batchOf(records)));
            return;
          }
          if (last || (timeoutMs !== null && Date.now() - quietSince >= timeoutMs)) {
            stopped = true;
            controller.close();
            return;
          }
          if (over) continue;
          controller.enqueue(encoder.encode(": ping\n\n"));
          return;
        }
      } catch (error) {
        stopped = true;
        controller.error(error);
      }
    },
    cancel() {
      stopped = true;
    },
  });
}

/** Resolves when the run is finished. */
async function endOfRun({ live, runId }: Source, stopped: () => boolean): Promise<void> {
  let version = -1;
  while (!stopped()) {
    const run = await live.waitForRun(runId, version, RUN_WAIT_MS);
    if (run === "missing" || (run && isFinal(run.status))) return;
    version = run?.version ?? version;
  }
}

/** `body` is a JSON text with the chunk and an id that no other record has. */
function batchOf(records: StreamRecord[]): string {
  const items = records.map(({ seq, time, body }) => ({
    seq_num: seq,
    timestamp: time,
    headers: [],
    body: `{"data":${body},"id":"${seq}-${time.toString(36)}"}`,
  }));
  return `event: batch\ndata: ${JSON.stringify({ records: items })}\n\n`;
}
