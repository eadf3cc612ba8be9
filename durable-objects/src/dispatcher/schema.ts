/**
 * Tables of a dispatcher: what must survive it. `environments`: whom to ask for work after a restart.
 * `sessions` and `session_queues`: which queues leased runs to which host session, so that all can be told when it is lost.
 */
export const DISPATCHER_MIGRATIONS = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE environments (environment_key TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE sessions (session_id TEXT PRIMARY KEY, host_id TEXT NOT NULL, lost INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
  CREATE TABLE session_queues (session_id TEXT NOT NULL, queue_key TEXT NOT NULL, PRIMARY KEY (session_id, queue_key)) WITHOUT ROWID`,
] as const;
