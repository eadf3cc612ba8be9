import type { EnvironmentRef, TriggerItem } from "../src/rpc.ts";

/** An environment like any other. */
export const plainEnvironment = (key: string, id = "env_1"): EnvironmentRef => ({
  key,
  id,
  slug: "prod",
  type: "PRODUCTION",
  project: { id: "p", ref: "proj", name: "P" },
  organization: { id: "o", slug: "o", name: "O" },
});

/** A run of a known task without special options. */
export const plainItem = (runId: string, task = "task"): TriggerItem => ({
  runId,
  task,
  payload: "{}",
  payloadType: "application/json",
  tags: [],
  priorityMs: 0,
  machine: "small-1x",
  isTest: false,
  known: true,
  depth: 0,
});
