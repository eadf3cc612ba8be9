import type { ApiClientConfiguration } from "../client/configuration.ts";
import { readStream } from "../streams/read-stream.ts";

interface RunState {
  id: string;
  realtimeStreams?: string[];
}

type Item = { type: "run"; run: unknown } | { type: string; chunk: unknown; run: unknown };

/** Iterates over the states of a run and the chunks of its streams as they arrive. */
export async function* withStreams(
  states: AsyncIterable<unknown>,
  clientConfig: ApiClientConfiguration,
  signal: AbortSignal,
): AsyncGenerator<Item> {
  const items: Item[] = [];
  const read = new Set<string>();
  let open = 1;
  let error: unknown;
  let wake = () => {};
  const ended = (work: Promise<void>): void => {
    work
      .catch((reason: unknown) => {
        error ??= reason;
      })
      .finally(() => {
        open -= 1;
        wake();
      });
  };
  const put = (item: Item): void => {
    items.push(item);
    wake();
  };
  let run: RunState | undefined;
  const readKey = async (runId: string, key: string): Promise<void> => {
    const path = `/realtime/v1/streams/${encodeURIComponent(runId)}/${encodeURIComponent(key)}`;
    for await (const { chunk } of readStream(path, { clientConfig, signal })) put({ type: key, chunk, run });
  };
  const follow = async (): Promise<void> => {
    for await (const state of states) {
      run = state as RunState;
      put({ type: "run", run });
      for (const key of run.realtimeStreams ?? []) {
        if (read.has(key)) continue;
        read.add(key);
        open += 1;
        ended(readKey(run.id, key));
      }
    }
  };
  ended(follow());
  for (;;) {
    const item = items.shift();
    if (item) yield item;
    else if (error && !signal.aborted) throw error;
    else if (open === 0 || signal.aborted) return;
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}
