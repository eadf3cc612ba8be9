import { SCHEDULES_TABLES } from "./schedules/schema.ts";

/**
 * Tables of an environment object. Which runs hold slots is known by the queues alone; `active` names the
 * queues that may hold some, so that after a restart only they are asked. It is set before a queue is first
 * granted anything. A queue that is split has a row for each partition; `changes` has the changes of a queue
 * through the API, as its first partition reported them; `rates` the limiters of queues that are split (see
 * `SharedRate`); `limits` and `limit_keys` have the changes of named concurrency limits.
 */
export const ENVIRONMENT_MIGRATIONS = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE queues (queue_key TEXT PRIMARY KEY, queue TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
  CREATE INDEX queues_active ON queues (queue_key) WHERE active = 1`,
  SCHEDULES_TABLES,
  `ALTER TABLE queues ADD COLUMN partition INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX queues_name ON queues (queue, partition);
  CREATE TABLE changes (queue TEXT PRIMARY KEY, changes TEXT NOT NULL) WITHOUT ROWID;
  ALTER TABLE firings ADD COLUMN partition INTEGER NOT NULL DEFAULT 0`,
  `CREATE TABLE rates (queue TEXT PRIMARY KEY, recovers_at REAL NOT NULL, reserved INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE TABLE limits (name TEXT PRIMARY KEY, changes TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE limit_keys (
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    per_key INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (name, key)
  ) WITHOUT ROWID`,
] as const;
