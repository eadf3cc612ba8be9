/**
 * Tables of a dispatcher: what must survive a restart. `environments`: which environments to ask for work then.
 * `sessions` and `session_queues`: which queues leased runs to which host session, so that all can be
 * informed when the session is lost.
 * `hosts`: which hosts registered, with the SHA-256 of their credentials, and which of them get no more runs.
 */
export const DISPATCHER_MIGRATIONS = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE environments (environment_key TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE sessions (session_id TEXT PRIMARY KEY, host_id TEXT NOT NULL, lost INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
  CREATE TABLE session_queues (session_id TEXT NOT NULL, queue_key TEXT NOT NULL, PRIMARY KEY (session_id, queue_key)) WITHOUT ROWID`,
  `CREATE TABLE hosts (
    host_id TEXT PRIMARY KEY,
    credential_hash TEXT NOT NULL,
    name TEXT,
    registered_at INTEGER NOT NULL,
    revoked_at INTEGER,
    last_seen_at INTEGER
  ) WITHOUT ROWID`,
  "ALTER TABLE hosts ADD COLUMN draining_at INTEGER",
] as const;
