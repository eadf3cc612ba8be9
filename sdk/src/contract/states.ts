/**
 * Every state that a run can be in, the states that may follow it, and its name in the public API.
 * Status strings are compared only here: use {@link RunStatus} and these helpers elsewhere.
 */
export const RunStatus = {
  /** Waits for its `delay` to pass. */
  DELAYED: "DELAYED",
  /** No deployed worker of the environment knows the task yet. */
  PENDING_VERSION: "PENDING_VERSION",
  /** In the queue: it can be dequeued as soon as the limits allow. */
  PENDING: "PENDING",
  /** Leased to a container host that has not reported the attempt's start yet. */
  DEQUEUED: "DEQUEUED",
  /** An attempt is running. */
  EXECUTING: "EXECUTING",
  /** Suspended on a waitpoint: it holds no slot, and none of its code runs. */
  WAITING_ON_WAITPOINT: "WAITING_ON_WAITPOINT",
  /** The last attempt failed; the next one is due after a backoff. Holds no slot. */
  RETRYING: "RETRYING",
  COMPLETED_SUCCESSFULLY: "COMPLETED_SUCCESSFULLY",
  COMPLETED_WITH_ERRORS: "COMPLETED_WITH_ERRORS",
  CANCELED: "CANCELED",
  /** The process or container died (exit code, signal, out of memory). */
  CRASHED: "CRASHED",
  /** The platform failed the run (for example: its hosts were lost too often). */
  SYSTEM_FAILURE: "SYSTEM_FAILURE",
  /** Its `ttl` passed before it was ever dequeued. */
  EXPIRED: "EXPIRED",
  /** It ran longer than `maxDuration`. */
  TIMED_OUT: "TIMED_OUT",
} as const;
export type RunStatus = (typeof RunStatus)[keyof typeof RunStatus];

/** The names of the public API (those of Trigger.dev's `RunStatus`). */
export type PublicRunStatus =
  | "DELAYED"
  | "PENDING_VERSION"
  | "QUEUED"
  | "DEQUEUED"
  | "EXECUTING"
  | "WAITING"
  | "COMPLETED"
  | "FAILED"
  | "CANCELED"
  | "CRASHED"
  | "SYSTEM_FAILURE"
  | "EXPIRED"
  | "TIMED_OUT";

interface StatusInfo {
  readonly public: PublicRunStatus;
  /** Holds a slot of concurrency (queue, key and environment). */
  readonly holdsSlot: boolean;
  readonly next: readonly RunStatus[];
}

const FINAL: readonly RunStatus[] = [];
/** What the end of an attempt, or of its lease, may lead to. */
const AFTER_LEASE = [
  "COMPLETED_SUCCESSFULLY",
  "COMPLETED_WITH_ERRORS",
  "CRASHED",
  "TIMED_OUT",
  "SYSTEM_FAILURE",
  "CANCELED",
  "RETRYING",
  "PENDING",
  "WAITING_ON_WAITPOINT",
] as const;

/** Each edge is taken by code in `durable-objects/src/queue`, and occurs in the simulation's seeds that `npm test` runs. */
export const RUN_STATUS: Readonly<Record<RunStatus, StatusInfo>> = {
  DELAYED: { public: "DELAYED", holdsSlot: false, next: ["PENDING", "PENDING_VERSION", "CANCELED"] },
  PENDING_VERSION: { public: "PENDING_VERSION", holdsSlot: false, next: ["PENDING", "EXPIRED", "CANCELED"] },
  PENDING: { public: "QUEUED", holdsSlot: false, next: ["DEQUEUED", "EXPIRED", "CANCELED"] },
  // A short attempt's start and end are reported together, so its run may never be seen EXECUTING.
  DEQUEUED: { public: "DEQUEUED", holdsSlot: true, next: ["EXECUTING", ...AFTER_LEASE] },
  EXECUTING: { public: "EXECUTING", holdsSlot: true, next: AFTER_LEASE },
  WAITING_ON_WAITPOINT: { public: "WAITING", holdsSlot: false, next: ["PENDING", "CANCELED"] },
  RETRYING: { public: "EXECUTING", holdsSlot: false, next: ["PENDING", "CANCELED"] },
  COMPLETED_SUCCESSFULLY: { public: "COMPLETED", holdsSlot: false, next: FINAL },
  COMPLETED_WITH_ERRORS: { public: "FAILED", holdsSlot: false, next: FINAL },
  CANCELED: { public: "CANCELED", holdsSlot: false, next: FINAL },
  CRASHED: { public: "CRASHED", holdsSlot: false, next: FINAL },
  SYSTEM_FAILURE: { public: "SYSTEM_FAILURE", holdsSlot: false, next: FINAL },
  EXPIRED: { public: "EXPIRED", holdsSlot: false, next: FINAL },
  TIMED_OUT: { public: "TIMED_OUT", holdsSlot: false, next: FINAL },
};

export const RUN_STATUSES = Object.keys(RUN_STATUS) as RunStatus[];

export const isFinal = (status: RunStatus): boolean => RUN_STATUS[status].next.length === 0;
export const isSuccess = (status: RunStatus): boolean => status === RunStatus.COMPLETED_SUCCESSFULLY;
export const holdsSlot = (status: RunStatus): boolean => RUN_STATUS[status].holdsSlot;
export const publicStatus = (status: RunStatus): PublicRunStatus => RUN_STATUS[status].public;
export const canFollow = (from: RunStatus, to: RunStatus): boolean => RUN_STATUS[from].next.includes(to);

/**
 * Returns the internal states that a public status name stands for, because filters of lists use public
 * names.
 */
export function statusesForPublic(name: PublicRunStatus): RunStatus[] {
  return RUN_STATUSES.filter((s) => RUN_STATUS[s].public === name);
}
