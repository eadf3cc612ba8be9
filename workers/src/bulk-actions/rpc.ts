import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { AuditRow } from "../control/audit.ts";
import type { RunFilter } from "../storage/repository.ts";

export interface NewBulkAction {
  id: string;
  environment: EnvironmentRef;
  type: "CANCEL" | "REPLAY";
  /** Which runs: those that match, or these. */
  selection: { filter: RunFilter } | { runIds: string[] };
  total: number;
  /** What the object records in the database before anything is done. Actions of earlier versions were recorded before. */
  record?: { name: string | null; createdAt: number; audit: AuditRow };
}

export interface BulkProgress {
  status: "PENDING" | "COMPLETED" | "ABORTED";
  total: number;
  success: number;
  failure: number;
  /** Milliseconds since the epoch; null: it is not over. */
  completedAt: number | null;
  /** The first ones. */
  failures: { runId: string; error: string }[];
}

/** One object a bulk action, named by its id. */
export interface BulkActionRpc {
  /** Idempotent: the first one stands. When this returns, it is listed and in the audit log. */
  start(action: NewBulkAction): Promise<void>;
  /** Null: it was never started, or is over since long. */
  progress(): Promise<BulkProgress | null>;
  /** Runs that it has not come to are left alone. Null: as above. */
  abort(): Promise<BulkProgress | null>;
}
