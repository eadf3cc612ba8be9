import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { task } from "@acme/sdk";

/** When this module, and so the bundle, was evaluated. */
const bundleAt = performance.timeOrigin + performance.now();
let runs = 0;

export interface Start {
  /** 1 for the first run of its process. */
  run: number;
  pid: number;
  /** Empty where the process is in no container. */
  containerId: string;
  /** Milliseconds since the epoch, with fractions: when the process began, Node.js had started, the bundle was evaluated, and now. */
  processAt: number;
  nodeAt: number;
  bundleAt: number;
  enteredAt: number;
}

/** The Engine mounts files of its folder of the container. */
const containerId = (): string =>
  /\/containers\/([0-9a-f]{64})\//.exec(readFileSync("/proc/self/mountinfo", "utf8"))?.[1] ?? "";

/** Says when it began, and what came before that in its process. */
export const entered = task({
  id: "entered",
  run: async (): Promise<Start> => {
    const enteredAt = performance.timeOrigin + performance.now();
    runs += 1;
    const processAt = performance.timeOrigin;
    const { bootstrapComplete } = performance.nodeTiming;
    return {
      run: runs,
      pid: process.pid,
      containerId: containerId(),
      processAt,
      nodeAt: processAt + bootstrapComplete,
      bundleAt,
      enteredAt,
    };
  },
});
