/** Checked by `tsc -p sdk`, never run: what the hooks for React and the stores for Svelte infer from a task or a stream. */
import { streams, task } from "../src/index.ts";
import {
  useRealtimeBatch,
  useRealtimeRun,
  useRealtimeStream,
  useRealtimeTaskTrigger,
  useStream,
  useTaskTrigger,
  useWaitToken,
} from "../src/react/index.ts";
import { createLive } from "../src/svelte/index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <A, B>(_: Equal<A, B>): void => {};

const hello = task({ id: "hello", run: async (payload: { name: string }) => ({ message: payload.name }) });
const tokens = streams.define<string>({ id: "tokens" });

export function Component() {
  const { run } = useRealtimeRun<typeof hello>("run_1", {
    onComplete: (last) => expectType<typeof last, typeof run>(true),
  });
  if (run) {
    expectType<typeof run.output, { message: string } | undefined>(true);
    expectType<typeof run.payload, { name: string } | undefined>(true);
  }
  const { runs } = useRealtimeBatch<typeof hello>("batch_1");
  expectType<(typeof runs)[number], NonNullable<typeof run>>(true);

  const { submit } = useTaskTrigger<typeof hello>("hello");
  submit({ name: "Ada" }, { tags: ["a"] });
  // @ts-expect-error the payload has a name
  submit({});
  // @ts-expect-error there is no such task
  useTaskTrigger<typeof hello>("bye");
  const triggered = useRealtimeTaskTrigger<typeof hello>("hello");
  expectType<typeof triggered.run, typeof run>(true);

  expectType<ReturnType<typeof useStream<{ n: number }>>["parts"], { n: number }[]>(true);
  const text = useRealtimeStream(tokens, "run_1", {
    onData: (part) => expectType<typeof part, string>(true),
  });
  expectType<typeof text.parts, string[]>(true);
  useStream<string>(undefined, "tokens", { from: "latest" });
  // @ts-expect-error an answer is a boolean
  useWaitToken<boolean>("waitpoint_1").complete("yes");
}

const live = createLive({ baseURL: "https://acme.example.com", accessToken: async () => "token" });
const run = live.run<typeof hello>("run_1");
if (run.current) expectType<typeof run.current.output, { message: string } | undefined>(true);
expectType<ReturnType<typeof live.stream<string>>["current"], string[]>(true);
live.runs({ statuses: ["EXECUTING"] });
// @ts-expect-error there is no such status
live.runs({ statuses: ["RUNNING"] });
