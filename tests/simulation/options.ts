import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { Scenario } from "./scenario.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    jobs: { type: "string", default: String(availableParallelism()) },
    seed: { type: "string" },
    kind: { type: "string" },
    mutation: { type: "string" },
    report: { type: "string" },
  },
});

/** The options of the command line, which threads get too. */
export const options = {
  from: Number(values.seed ?? values.from),
  count: Number(values.seeds),
  jobs: Number(values.jobs),
  /** Run only this seed. */
  seed: values.seed === undefined ? undefined : Number(values.seed),
  /** Run only this kind of scenario. */
  kind: values.kind as Scenario["kind"] | undefined,
  /** Name of a mutation to run with, until it is found. */
  mutation: values.mutation,
  /** A file for the traces of the seeds and the plans of all statements. */
  report: values.report,
};
