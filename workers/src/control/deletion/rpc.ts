import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { AuditRow } from "../audit.ts";

export interface NewDeletion {
  project: { id: string; ref: string; name: string };
  /** All of the project, archived branches too. */
  environments: EnvironmentRef[];
  /** What the audit log says of it. */
  audit: AuditRow;
}

/** What went at once. */
export interface DeletedRows {
  apiKeysRevoked: number;
  variablesDeleted: number;
}

/** One object a project that is deleted, named by the project's id. */
export interface ProjectDeletionRpc {
  /** Idempotent: the first one stands. When this returns, nobody sees the project any more; the rest follows. */
  start(deletion: NewDeletion): Promise<DeletedRows>;
}
