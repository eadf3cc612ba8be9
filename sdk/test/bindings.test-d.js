/** Checked by `tsc -p sdk`, never run: what the hooks for React and the stores for Svelte infer from a task or a stream. */
import { streams, task } from "../src/index.js";
import {
  useRealtimeBatch,
  useRealtimeRun,
  useRealtimeStream,
  useRealtimeTaskTrigger,
  useStream,
  useTaskTrigger,
  useWaitToken,
} from "../src/react/index.js";
import { createLive } from "../src/svelte/index.js";

const expectType = (_) => {};
const hello = task({ id: "hello", run: async (payload) => ({ message: payload.name }) });
const tokens = streams.define({ id: "tokens" });
export function Component() {
  const { run } = useRealtimeRun("run_1", {
    onComplete: (last) => expectType(true),
  });
  if (run) {
    expectType(true);
    expectType(true);
  }
  const { runs } = useRealtimeBatch("batch_1");
  expectType(true);
  const { submit } = useTaskTrigger("hello");
  submit({ name: "Ada" }, { tags: ["a"] });
  // @ts-expect-error the payload has a name
  submit({});
  // @ts-expect-error there is no such task
  useTaskTrigger("bye");
  const triggered = useRealtimeTaskTrigger("hello");
  expectType(true);
  expectType(true);
  const text = useRealtimeStream(tokens, "run_1", {
    onData: (part) => expectType(true),
  });
  expectType(true);
  useStream(undefined, "tokens", { from: "latest" });
  // @ts-expect-error an answer is a boolean
  useWaitToken("waitpoint_1").complete("yes");
}
const live = createLive({ baseURL: "https://acme.example.com", accessToken: async () => "token" });
const run = live.run("run_1");
if (run.current) expectType(true);
expectType(true);
live.runs({ statuses: ["EXECUTING"] });
// @ts-expect-error there is no such status
live.runs({ statuses: ["RUNNING"] });
