import type { PublicRunStatus } from "@acme/sdk/contract";

/** How a state is shown. Color never stands alone: each has a label and an icon of its own. */
export interface StatusLook {
  label: string;
  /** Name of the color token. */
  token: string;
  /** One line of explanation. */
  means: string;
  final: boolean;
}

/** In the order that filters list them. */
export const STATUS: Readonly<Record<PublicRunStatus, StatusLook>> = {
  DELAYED: { label: "Delayed", token: "queued", means: "Waits for its delay to pass", final: false },
  PENDING_VERSION: {
    label: "Pending version",
    token: "version",
    means: "Waits for a deployment that has its task",
    final: false,
  },
  QUEUED: { label: "Queued", token: "queued", means: "Waits for a slot", final: false },
  DEQUEUED: { label: "Dequeued", token: "dequeued", means: "Handed to a host, starts now", final: false },
  EXECUTING: { label: "Executing", token: "executing", means: "An attempt runs", final: false },
  WAITING: { label: "Waiting", token: "waiting", means: "Suspended: holds no slot", final: false },
  COMPLETED: { label: "Completed", token: "completed", means: "Returned its output", final: true },
  FAILED: { label: "Failed", token: "failed", means: "Used up its attempts", final: true },
  CRASHED: { label: "Crashed", token: "failed", means: "Its process died", final: true },
  TIMED_OUT: { label: "Timed out", token: "timedout", means: "Ran longer than its maxDuration", final: true },
  SYSTEM_FAILURE: { label: "System failure", token: "system", means: "The platform failed it", final: true },
  EXPIRED: { label: "Expired", token: "canceled", means: "Its TTL passed before it started", final: true },
  CANCELED: { label: "Canceled", token: "canceled", means: "Was canceled", final: true },
};

export const STATUSES = Object.keys(STATUS) as PublicRunStatus[];

export const isFinal = (status: PublicRunStatus): boolean => STATUS[status].final;

/** True: runs in this state can be canceled. */
export const isOpen = (status: PublicRunStatus): boolean => !STATUS[status].final;
