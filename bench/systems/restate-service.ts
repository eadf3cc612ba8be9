/**
 * A service of Restate with one handler that does what Acme's `noop` task does, as a program:
 * `node restate-service.ts PATH_OF_SDK`. Prints `listening on PORT`.
 */
import { pathToFileURL } from "node:url";
import { mark } from "../project/src/trigger/mark.ts";

/** The part of @restatedev/restate-sdk that is used; the package isn't there to typecheck against. */
interface RestateSdk {
  service(definition: {
    name: string;
    handlers: Record<string, (context: unknown, payload: { i: number; marks?: string }) => Promise<unknown>>;
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
  },
});
console.log(`listening on ${await restate.endpoint().bind(bench).listen(0)}`);
