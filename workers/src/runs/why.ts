import type { LimitUse, QueueHold, RunHold } from "@acme/durable-objects/rpc";
import { isFinal, publicStatus, RunStatus } from "@acme/sdk/contract";
import type { WhyBlocker, WhyReason } from "@acme/sdk/contract/api";
import { isoTime, optionalTime } from "../views/time.ts";

/** The facts from the objects that a run depends on. */
export interface WhyFacts {
  run: RunHold;
  /** Slug of its environment. */
  environment: string;
  hold: QueueHold;
  /** True: its runs execute on a developer's machine, with `acme dev`. */
  isDevelopment: boolean;
  /** The number of connected hosts that could execute it. */
  hosts: number;
  now: number;
}

/** Counts stop at this number. */
const MAX_COUNTED = 1_000;

/**
 * Returns the reasons why a run does not execute, most important first. A run that executes or has ended has
 * one entry that says so.
 */
export function blockersOf(facts: WhyFacts): WhyBlocker[] {
  const { run } = facts;
  switch (run.status) {
    case RunStatus.DELAYED:
      return [until("delayed", `Delayed until ${optionalTime(run.dueAt)}.`, run.dueAt)];
    case RunStatus.RETRYING: {
      const message = `Attempt ${run.attempt} failed; attempt ${run.attempt + 1} is due ${inTime(run.dueAt, facts.now)}.`;
      return [until("retrying", message, run.dueAt)];
    }
    case RunStatus.WAITING_ON_WAITPOINT:
      return [waiting(run)];
    case RunStatus.PENDING_VERSION:
      return [version(facts)];
    case RunStatus.DEQUEUED:
      return [onHost("starting", "Handed to host", "which has not reported its start yet", run)];
    case RunStatus.EXECUTING:
      return [onHost("executing", `Attempt ${run.attempt} executes on host`, "", run)];
    case RunStatus.PENDING:
      return ofQueued(facts);
    default:
      return [{ reason: "finished", message: `It is over: ${publicStatus(run.status)}.` }];
  }
}

/** Describes the place of a queued run, from 1. */
export const positionOf = ({ status, ahead }: RunHold): number | undefined =>
  status === RunStatus.PENDING && !isFinal(status) ? ahead + 1 : undefined;

function ofQueued(facts: WhyFacts): WhyBlocker[] {
  const { run, hold, environment, hosts } = facts;
  const found: WhyBlocker[] = [];
  const queue = queueName(run.queue);
  if (run.paused) found.push({ reason: "queue_paused", message: `${capital(queue)} is paused.` });
  if (hold.paused) {
    found.push({ reason: "environment_paused", message: `Environment ${environment} is paused.` });
  }
  if (hold.version === null) found.push(version(facts));
  found.push(...limits(facts, queue));
  if (hosts === 0) {
    const message = facts.isDevelopment
      ? "No machine executes the runs of this development environment: run `npx acme dev` in the project."
      : "No container host is connected. Start one, or look at the logs of those that should be.";
    found.push({ reason: "no_host", message });
  }
  if (found.length > 0) return found;
  if (facts.isDevelopment)
    return [{ reason: "host", message: `Waits for room in \`acme dev\`; ${place(run)}.` }];
  const connected =
    hosts === 1 ? "the one host that is connected" : `one of the ${hosts} hosts that are connected`;
  return [{ reason: "host", message: `Waits for room on ${connected}; ${place(run)}.` }];
}

function limits({ run, hold, environment, now }: WhyFacts, queue: string): WhyBlocker[] {
  const found: WhyBlocker[] = [];
  const slots = (reason: WhyReason, whose: string, running: number, limit: number): void => {
    const message = `Waits for a slot: ${whose} ${limit === 1 ? "uses its only slot" : `uses ${running} of ${limit} slots`}; ${place(run)}.`;
    found.push({ reason, message, running, limit });
  };
  const isFull = ({ running, limit }: Pick<LimitUse, "running" | "limit">): boolean =>
    limit !== null && running >= limit;
  const key = run.concurrencyKey === null ? queue : `key "${run.concurrencyKey}" of ${queue}`;
  const all = hold.shared ?? run.all;
  if (isFull(run.key)) slots("concurrency_key_limit", key, run.key.running, run.key.limit as number);
  if (isFull(all)) slots("queue_limit", `${queue} (all keys)`, all.running, all.limit as number);
  if (run.key.nextStartAt !== null) {
    found.push(rate("concurrency_key_rate", key, run.key.nextStartAt, now));
  }
  if (all.nextStartAt !== null) found.push(rate("queue_rate", queue, all.nextStartAt, now));
  for (const { name, paused, running, total, key: ofKey } of hold.limits) {
    if (paused)
      found.push({ reason: "shared_limit_paused", message: `Concurrency limit ${name} is paused.` });
    const whose = `concurrency limit ${name}`;
    if (isFull({ running, limit: total.current }))
      slots("shared_limit", whose, running, total.current as number);
    const { current } = ofKey.perKey;
    if (!isFull({ running: ofKey.running, limit: current })) continue;
    const keyName =
      run.concurrencyKey === null
        ? `${whose} (runs without a key)`
        : `key "${run.concurrencyKey}" of ${whose}`;
    slots("shared_limit_key", keyName, ofKey.running, current as number);
  }
  const { running, limit, free } = hold.environment;
  if (free === 0) slots("environment_limit", `environment ${environment}`, running, limit);
  else if (isFull(hold.queue)) {
    const whose = `${queue}, which may use as many as environment ${environment} without its burst,`;
    slots("environment_limit", whose, hold.queue.running, hold.queue.limit);
  }
  return found;
}

const rate = (reason: WhyReason, whose: string, at: number, now: number): WhyBlocker =>
  until(reason, `Waits for the rate limit of ${whose}: its next start is ${inTime(at, now)}.`, at);

function version({ run, hold, environment, isDevelopment }: WhyFacts): WhyBlocker {
  if (hold.version === null) {
    const message = isDevelopment
      ? "Waits for the first version: run `npx acme dev` in the project."
      : `Waits for a deployment: nothing was deployed to environment ${environment} yet.`;
    return { reason: "version", message };
  }
  const message = run.lockedVersion
    ? `Waits for version ${run.lockedVersion}.`
    : hold.knowsTask
      ? `Version ${hold.version} has task "${run.task}": the run is about to be queued.`
      : `Waits for a version with task "${run.task}": version ${hold.version} does not have it.`;
  return { reason: "version", message, version: run.lockedVersion ?? hold.version };
}

function waiting({ operations }: RunHold): WhyBlocker {
  const shown = operations.map(({ kind, name, target, until: at }) => ({
    kind,
    name,
    target: target ?? undefined,
    until: optionalTime(at),
  }));
  const [first] = shown;
  const others = shown.length > 1 ? `, and for ${shown.length - 1} more` : "";
  const message = first ? `Waits ${operationName(first)}${others}.` : "Waits to be resumed.";
  return { reason: "waiting", message, operations: shown, until: first?.until };
}

function operationName({
  kind,
  name,
  target,
  until: at,
}: NonNullable<WhyBlocker["operations"]>[number]): string {
  switch (kind) {
    case "wait":
      return `until ${at ?? name}`;
    case "token":
      return `for token ${target ?? name}`;
    case "run":
      return `for run ${target ?? ""} of task ${name}`.replace("  ", " ");
    case "batch":
      return `for batch ${target ?? name}`;
    default:
      return `for ${kind} ${name}`;
  }
}

function onHost(reason: WhyReason, what: string, detail: string, { hostId, dueAt }: RunHold): WhyBlocker {
  const message = `${what} ${hostId ?? "(unknown)"}${detail === "" ? "" : `, ${detail}`}.`;
  return { reason, message, hostId: hostId ?? undefined, until: optionalTime(dueAt) };
}

const until = (reason: WhyReason, message: string, at: number | null): WhyBlocker => ({
  reason,
  message,
  until: optionalTime(at),
});

const queueName = (queue: string): string =>
  queue.startsWith("task/") ? `the queue of task ${queue.slice("task/".length)}` : `queue ${queue}`;

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function inTime(at: number | null, now: number): string {
  if (at === null || at <= now) return "now";
  const seconds = Math.ceil((at - now) / 1000);
  return seconds < 120 ? `in ${seconds} s` : `at ${isoTime(at)}`;
}

const ORDINALS = [
  "first",
  "second",
  "third",
  "fourth",
  "fifth",
  "sixth",
  "seventh",
  "eighth",
  "ninth",
  "tenth",
];

function place({ ahead, concurrencyKey }: RunHold): string {
  const line = concurrencyKey === null ? "in line" : "in line of its key";
  if (ahead >= MAX_COUNTED) return `behind more than ${MAX_COUNTED} others ${line}`;
  const words = ORDINALS[ahead];
  return words === undefined ? `number ${ahead + 1} ${line}` : `${words} ${line}`;
}
