import type { LiveFilter, LiveTarget } from "@acme/sdk/contract/live";
import type { Connection, ListGroup, Subscription } from "./connection.ts";
import { compileFilter } from "./filter.ts";
import type { Interest } from "./interest.ts";
import type { LatestRuns } from "./latest-runs.ts";
import type { LiveFailure } from "./rpc.ts";
import { ShownRuns } from "./shown-runs.ts";
import { skipColumnsOf } from "./skip-columns.ts";

/**
 * The subscriptions of an environment by what they watch, and the interest that each of them adds. A subscription is
 * - starting (`active` is false): its first state is being read, and changes are noted in `missed`;
 * - active: it gets each change;
 * - lagging (active, and `missed` is not null): it gets what it missed once its client has room and a valid token;
 * - over: it was removed, and gets nothing more.
 */
export class Subscriptions {
  readonly groups = new Map<string, ListGroup>();
  readonly environments = new Set<Subscription>();
  readonly #runs = new Map<string, Set<Subscription>>();
  readonly #logs = new Map<string, Set<Subscription>>();
  readonly #streams = new Map<string, Set<Subscription>>();
  readonly #interest: Interest;
  readonly #latest: LatestRuns;

  constructor(interest: Interest, latest: LatestRuns) {
    this.#interest = interest;
    this.#latest = latest;
  }

  /** Returns the subscriptions to one run; undefined if there are none. */
  ofRun(runId: string): Set<Subscription> | undefined {
    return this.#runs.get(runId);
  }

  /** Returns the subscriptions to the logs of one run; undefined if there are none. */
  ofLogs(runId: string): Set<Subscription> | undefined {
    return this.#logs.get(runId);
  }

  /** Returns the subscriptions to the streams of one run; undefined if there are none. */
  ofStreams(runId: string): Set<Subscription> | undefined {
    return this.#streams.get(runId);
  }

  /** Adds a subscription that is starting. */
  add(connection: Connection, id: string, target: LiveTarget): Subscription {
    const skip = skipColumnsOf(
      connection.principal.skipColumns,
      "skipColumns" in target ? target.skipColumns : undefined,
    );
    const subscription: Subscription = {
      id,
      target,
      connection,
      skip,
      active: false,
      over: false,
      missed: null,
      skippedTo: null,
    };
    connection.subscriptions.set(id, subscription);
    switch (target.kind) {
      case "run":
        addTo(this.#runs, target.runId, subscription);
        this.#interest.addRun(target.runId);
        break;
      case "logs":
        addTo(this.#logs, target.runId, subscription);
        break;
      case "stream":
        subscription.progress = { sent: null, unhandled: [], runOver: false, reading: false, again: false };
        addTo(this.#streams, target.runId, subscription);
        // A stream ends with its run.
        this.#interest.addRun(target.runId);
        break;
      case "environment":
        this.environments.add(subscription);
        this.#interest.addList();
        break;
      case "runs":
        this.#join(subscription, target.filter, target.data ?? false, target.left ?? false);
        break;
      case "batch":
        this.#join(subscription, { batch: target.batchId }, target.data ?? false, false);
        break;
    }
    return subscription;
  }

  /** Removes a subscription if there is one with this id. */
  remove(connection: Connection, id: string, save = true): void {
    const subscription = connection.subscriptions.get(id);
    if (!subscription) return;
    connection.subscriptions.delete(id);
    this.#forget(subscription);
    if (save) connection.save();
  }

  /** Removes all subscriptions of a connection that was closed. */
  removeAll(connection: Connection): void {
    for (const subscription of connection.subscriptions.values()) this.#forget(subscription);
  }

  /** Removes a subscription and sends its client the reason. */
  end(subscription: Subscription, error: LiveFailure["error"]): void {
    const { connection, id } = subscription;
    if (subscription.over) return;
    this.remove(connection, id);
    refuse(connection, id, error);
  }

  #join(subscription: Subscription, filter: LiveFilter, data: boolean, left: boolean): void {
    const compiled = compileFilter(filter);
    const { skip } = subscription;
    const key = groupKey({ compiled, data, left, skip });
    const group = this.groups.get(key) ?? {
      compiled,
      data,
      left,
      skip,
      subscriptions: new Set(),
      shown: compiled.isMutable ? new ShownRuns() : null,
      position: this.#latest.seq,
      snapshot: null,
    };
    group.subscriptions.add(subscription);
    this.groups.set(key, group);
    subscription.group = group;
    this.#interest.addList();
  }

  #forget(subscription: Subscription): void {
    if (subscription.over) return;
    subscription.over = true;
    const { target, group } = subscription;
    switch (target.kind) {
      case "run":
        removeFrom(this.#runs, target.runId, subscription);
        this.#interest.removeRun(target.runId);
        break;
      case "logs":
        removeFrom(this.#logs, target.runId, subscription);
        break;
      case "stream":
        removeFrom(this.#streams, target.runId, subscription);
        this.#interest.removeRun(target.runId);
        break;
      case "environment":
        this.environments.delete(subscription);
        this.#interest.removeList();
        break;
      default:
        group?.subscriptions.delete(subscription);
        if (group?.subscriptions.size === 0) {
          this.groups.delete(groupKey(group));
        }
        this.#interest.removeList();
    }
  }
}

/** Sends the error of a subscription that was refused or ended. */
export function refuse(connection: Connection, id: string, error: LiveFailure["error"]): void {
  connection.send({ type: "error", id, ...error });
}

const groupKey = ({
  compiled,
  data,
  left,
  skip,
}: Pick<ListGroup, "compiled" | "data" | "left" | "skip">): string =>
  `${data ? "data" : "list"} ${left ? "left " : ""}${skip.key} ${compiled.key}`;

function addTo<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key) ?? new Set<T>();
  set.add(item);
  sets.set(key, set);
}

function removeFrom<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key);
  set?.delete(item);
  if (set?.size === 0) sets.delete(key);
}
