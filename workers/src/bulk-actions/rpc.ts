import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { AuditRow } from "../control/audit.ts";
import type { RunFilter } from "../storage/repository.ts";

export interface NewBulkAction {
  id: string;
  environment: EnvironmentRef;
  type: "CANCEL" | "REPLAY";
  /** Selects runs by a filter or by their ids. */
  selection: { filter: RunFilter } | { runIds: string[] };
  /**
   * What the object records in the database before it does anything. Actions of earlier versions are recorded
   * already.
   */
  record?: { name: string | null; createdAt: number; audit: AuditRow };
}

export interface BulkProgress {
  status: "PENDING" | "COMPLETED" | "ABORTED";
  total: number;
  success: number;
  failure: number;
  /** Milliseconds since the epoch. Null: it has not ended. */
  completedAt: number | null;
  /** The first failures. */
  failures: { runId: string; error: string }[];
}

/** One object per bulk action, named by its id. */
export interface BulkActionRpc {
  /** Idempotent: the first call counts. When this returns, the action is listed and in the audit log. */
  start(action: NewBulkAction): Promise<void>;
  /** Returns null if it was never started, or ended long ago. */
  progress(): Promise<BulkProgress | null>;
  /** Leaves the remaining runs unchanged. Returns null as above. */
  abort(): Promise<BulkProgress | null>;
}
