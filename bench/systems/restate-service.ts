/**
 * A service of Restate with handlers that do what Acme's `noop` and `steps` tasks do, as a program:
 * `node restate-service.ts PATH_OF_SDK`. Prints `listening on PORT`.
 */
import { pathToFileURL } from "node:url";
import { mark } from "../project/src/trigger/mark.ts";
import { STEPS } from "../project/src/trigger/steps-count.ts";

interface Context {
  run<T>(name: string, action: () => Promise<T>): Promise<T>;
}

/** The part of @restatedev/restate-sdk that is used; the package is not installed when types are checked. */
interface RestateSdk {
  service(definition: {
    name: string;
    handlers: Record<string, (context: Context, payload: { i: number; marks?: string }) => Promise<unknown>>;
  }): unknown;
  endpoint(): { bind(service: unknown): { listen(port: number): Promise<number> } };
}

const restate = (await import(pathToFileURL(process.argv[2]!).href)) as RestateSdk;
const bench = restate.service({
  name: "bench",
  handlers: {
    noop: async (_context, payload) => {
      if (payload.marks) mark(payload.marks, payload.i);
      return { i: payload.i };
    },
    steps: async (context, { i }) => {
      let sum = 0;
      for (let n = 0; n < STEPS; n++) sum += await context.run(`step ${n}`, async () => i + n);
      return { sum };
    },
  },
});
console.log(`listening on ${await restate.endpoint().bind(bench).listen(0)}`);
