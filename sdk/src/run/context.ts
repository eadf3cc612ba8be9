import type { MachinePreset } from "../contract/machines.ts";

/** The context of a run: `ctx` in the parameters of `run` and of every hook. */
export interface Context {
  attempt: {
    /** Counts from 1. */
    number: number;
    startedAt: Date;
  };
  run: {
    id: string;
    tags: string[];
    isTest: boolean;
    isReplay: boolean;
    createdAt: Date;
    /** When the run's first attempt started. */
    startedAt: Date;
    idempotencyKey?: string;
    idempotencyKeyScope?: "run" | "attempt" | "global";
    /** Maximum number of attempts, if the trigger set it. */
    maxAttempts?: number;
    /** The version of the deployment that executes the run, like `20261124.1`. */
    version?: string;
    /** Seconds of run time. */
    maxDuration?: number;
    /** How many seconds the run is ahead of others in its queue. */
    priority?: number;
    parentTaskRunId?: string;
    rootTaskRunId?: string;
    baseCostInCents?: number;
    region?: string;
  };
  task: { id: string; filePath: string; exportName?: string };
  queue: {
    /** For `queues.retrieve(id)`. */
    id: string;
    /**
     * For `queues.retrieve({ type, name })`. The name of a task's own queue (type "task") is the task's id.
     */
    name: string;
  };
  environment: {
    id: string;
    slug: string;
    type: "PRODUCTION" | "STAGING" | "DEVELOPMENT" | "PREVIEW";
    branchName?: string;
  };
  organization: { id: string; slug: string; name: string };
  project: { id: string; ref: string; slug: string; name: string };
  machine: {
    name: MachinePreset;
    /** vCPUs. */
    cpu: number;
    /** GB. */
    memory: number;
    centsPerMs: number;
  };
  batch?: { id: string };
  deployment?: { id: string; shortCode: string; version: string; runtime: string; runtimeVersion: string };
}

export type TaskRunContext = Context;
