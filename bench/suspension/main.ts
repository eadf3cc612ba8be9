/**
 * What waiting costs: `npm run bench:suspension -- [--runs N] [--no-docker]`. First many runs that wait for
 * the same moment, then the cost of suspending and resuming, one run at a time.
 */
import { parseArgs } from "node:util";
import { many } from "./many.ts";
import { overhead } from "./overhead.ts";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "10000" }, "no-docker": { type: "boolean", default: false } },
});
if (Number(values.runs) > 0) await many(Number(values.runs));
await overhead(!values["no-docker"]);
process.exit(0);
