import type { Batch } from "../api/environment-api.ts";

export interface BatchLook {
  label: string;
  token: string;
  means: string;
}

/** How a batch's state is shown. */
export const BATCH_STATUS: Readonly<Record<Batch["status"], BatchLook>> = {
  PENDING: { label: "Arriving", token: "queued", means: "Not all of its items have arrived" },
  PROCESSING: { label: "Running", token: "executing", means: "Its runs are being created and executed" },
  COMPLETED: { label: "Finished", token: "completed", means: "All of its runs are over, with any outcome" },
  PARTIAL_FAILED: {
    label: "Finished in part",
    token: "timedout",
    means: "All of its runs are over, and some of its items were refused",
  },
  ABORTED: { label: "Aborted", token: "canceled", means: "None of its runs was created" },
};

export const isOver = ({ status }: Pick<Batch, "status">): boolean =>
  status !== "PENDING" && status !== "PROCESSING";
