import { closedLoop } from "./closed-loop.ts";
import { drain } from "./drain.ts";
import type { Metric } from "./metric.ts";
import { start } from "./start.ts";
import { steps } from "./steps.ts";
import { triggerConcurrent, triggerSequential } from "./trigger.ts";

export const METRICS: readonly Metric[] = [
  triggerSequential,
  triggerConcurrent,
  start,
  closedLoop,
  drain,
  steps,
];
