import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { AuditRow } from "../audit.ts";

export interface NewDeletion {
  project: { id: string; ref: string; name: string };
  /** All environments of the project, including archived branches. */
  environments: EnvironmentRef[];
  /** The details for the audit log. */
  audit: AuditRow;
}

/** What was deleted immediately. */
export interface DeletedRows {
  apiKeysRevoked: number;
  variablesDeleted: number;
}

/** One object per deleted project, named by the project's id. */
export interface ProjectDeletionRpc {
  /**
   * Idempotent: the first call counts. When this returns, nobody sees the project any more; the rest follows.
   */
  start(deletion: NewDeletion): Promise<DeletedRows>;
}
