/**
 * What a program in any runtime does: it triggers runs, completes a token, and follows a run's states and
 * streams.
 */
import { batch, configure, runs, tasks, wait } from "@acme/sdk";
import { LiveClient } from "@acme/sdk/live";

export interface Connection {
  baseURL: string;
  accessToken: string;
}

interface Found {
  /** A run that writes a stream: its output, its last state, and each chunk. */
  output: unknown;
  states: string[];
  chunks: number[];
  /** The batch's runs in their final states. */
  batch: unknown[];
  listed: number;
  /** The output of the task that waited for the token. */
  answer: unknown;
}

export async function useEverything(connection: Connection): Promise<Found> {
  configure(connection);
  const tag = `tag-${Math.random().toString(36).slice(2)}`;
  const at = new Date(0);
  const { id } = await tasks.trigger("counting", { n: 5, ms: 20, at }, { tags: [tag] });

  const client = new LiveClient(connection);
  const chunks: number[] = [];
  const read = new Promise<void>((onEnd, onError) => {
    const listener = (found: { chunk: { n: number } }[]): void => {
      chunks.push(...found.map(({ chunk }) => chunk.n));
    };
    client.stream<{ n: number }>(id, "numbers", listener, { onEnd, onError });
  });
  const states: string[] = [];
  for await (const { status } of runs.subscribeToRun(id)) states.push(status);
  await read;
  client.close();
  const { output } = await runs.retrieve(id);

  const { batchId } = await tasks.batchTrigger("double", [{ payload: { n: 1 } }, { payload: { n: 2 } }]);
  let batched = await batch.retrieve(batchId);
  // The runs of a batch are created after it was accepted.
  for (let asks = 0; asks < 100 && batched.runs.length < 2; asks++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    batched = await batch.retrieve(batchId);
  }
  const ended = await Promise.all(batched.runs.map((run) => runs.poll(run, { pollIntervalMs: 100 })));

  const token = await wait.createToken({ timeout: "1h" });
  const asking = await tasks.trigger("asking", { token: token.id });
  await wait.completeToken(token.id, { yes: true, at });
  const asked = await runs.poll(asking.id, { pollIntervalMs: 100 });

  let listed = 0;
  for (let asks = 0; asks < 100 && listed === 0; asks++) {
    listed = (await runs.list({ tag, limit: 10 })).data.length;
    if (listed === 0) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { output, states, chunks, batch: ended.map((run) => run.output), listed, answer: asked.output };
}
