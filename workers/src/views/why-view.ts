import { queueRef } from "@acme/durable-objects/routing";
import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { publicStatus } from "@acme/sdk/contract";
import type { WhyBlocker, WhyResponse } from "@acme/sdk/contract/api";
import { blockersOf, positionOf, type WhyFacts } from "../runs/why.ts";
import { queueIdOf, queueNameOf } from "./queue-view.ts";
import { isoTime } from "./time.ts";

/** Returns why a run is not executing, as the API shows it. */
export function whyView(runId: string, facts: WhyFacts, environment: EnvironmentRef): WhyResponse {
  const { run } = facts;
  const blockers = blockersOf(facts);
  return {
    ...(blockers[0] as WhyBlocker),
    id: runId,
    status: publicStatus(run.status),
    taskIdentifier: run.task,
    queue: { id: queueIdOf(queueRef(environment, run.queue).queueKey), ...queueNameOf(run.queue) },
    concurrencyKey: run.concurrencyKey ?? undefined,
    position: positionOf(run),
    since: isoTime(run.updatedAt),
    blockers,
  };
}
