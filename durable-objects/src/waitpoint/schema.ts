import { KEY_CLAIM_TABLE } from "../shared/key-claim.ts";
import { WAITERS_TABLE } from "../shared/operation-waiters.ts";

export const WAITPOINT_MIGRATIONS = [
  `CREATE TABLE token (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    environment_key TEXT NOT NULL,
    status TEXT NOT NULL,
    tags TEXT NOT NULL,
    idempotency_key TEXT,
    idempotency_key_expires_at INTEGER,
    created_at INTEGER NOT NULL,
    timeout_at INTEGER,
    completed_at INTEGER,
    output TEXT,
    output_type TEXT,
    output_is_error INTEGER NOT NULL,
    version INTEGER NOT NULL,
    -- The version that the query side has.
    projected INTEGER NOT NULL
  );
  ${WAITERS_TABLE};
  ${KEY_CLAIM_TABLE};`,
  // The question, and who answered it, both as JSON.
  `ALTER TABLE token ADD COLUMN form TEXT;
  ALTER TABLE token ADD COLUMN answered_by TEXT;`,
];
