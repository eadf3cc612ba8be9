/** What a program of any runtime does: it triggers a run, and hears of its end and of what it writes. */
import { configure, tasks } from "@acme/sdk";
import { LiveClient } from "@acme/sdk/live";

declare const CONNECTION: { baseURL: string; accessToken: string };

export default {
  async test(): Promise<void> {
    configure(CONNECTION);
    const { id } = await tasks.trigger("counting", { n: 5, ms: 20 });
    const client = new LiveClient(CONNECTION);
    const numbers: number[] = [];
    const ended = new Promise<void>((onEnd, onError) => {
      const listener = (chunks: { chunk: { n: number } }[]): void => {
        numbers.push(...chunks.map(({ chunk }) => chunk.n));
      };
      client.stream<{ n: number }>(id, "numbers", listener, { onEnd, onError });
    });
    const last = await new Promise<string>((resolve, onError) => {
      const listener = ({ run, final }: { run: { status: string }; final: boolean }): void => {
        if (final) resolve(run.status);
      };
      client.run(id, listener, { onError });
    });
    await ended;
    client.close();
    console.log(`${last} ${numbers.join(",")}`);
  },
};
