import { KEY_CLAIM_TABLE } from "../shared/key-claim.ts";
import { WAITERS_TABLE } from "../shared/operation-waiters.ts";

/** States of an item. */
export const ITEM = { waiting: 0, created: 1, refused: 2, over: 3 } as const;

export const BATCH_MIGRATIONS = [
  `CREATE TABLE batch (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    environment TEXT NOT NULL,
    environment_key TEXT NOT NULL,
    run_count INTEGER NOT NULL,
    idempotency_key TEXT,
    parent_run_id TEXT,
    ancestors TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    item_count INTEGER NOT NULL,
    -- Items whose run is not created yet.
    waiting_count INTEGER NOT NULL,
    refused_count INTEGER NOT NULL,
    over_count INTEGER NOT NULL,
    sealed_at INTEGER,
    enqueued_at INTEGER,
    completed_at INTEGER,
    aborted INTEGER NOT NULL
  );
  CREATE TABLE queues (
    queue_key TEXT PRIMARY KEY,
    queue TEXT NOT NULL,
    partition INTEGER NOT NULL,
    settings TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE items (
    idx INTEGER PRIMARY KEY,
    task TEXT NOT NULL,
    state INTEGER NOT NULL,
    run_id TEXT,
    cached INTEGER NOT NULL,
    error TEXT,
    error_code TEXT
  );
  -- What is still to be created: large rows that are deleted as soon as they are.
  CREATE TABLE waiting (
    idx INTEGER PRIMARY KEY,
    queue_key TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    item TEXT NOT NULL
  );
  CREATE TABLE results (
    idx INTEGER PRIMARY KEY,
    result TEXT NOT NULL
  );
  ${WAITERS_TABLE};
  ${KEY_CLAIM_TABLE};`,
  `ALTER TABLE batch ADD COLUMN canceled TEXT;`,
];
