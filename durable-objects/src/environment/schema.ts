import { SCHEDULES_TABLES } from "./schedules/schema.ts";

/**
 * Tables of an environment object. Which runs hold slots is known by the queues alone; `active` names the queues that
 * may hold some, so that after a restart only they are asked. It is set before a queue is first granted anything.
 */
export const ENVIRONMENT_MIGRATIONS = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE queues (queue_key TEXT PRIMARY KEY, queue TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
  CREATE INDEX queues_active ON queues (queue_key) WHERE active = 1`,
  SCHEDULES_TABLES,
] as const;
