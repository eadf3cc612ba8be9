/**
 * Tables of a queue object.
 *
 * `runs` holds what decisions need. Payloads and outputs are in tables of their own, so that an update never rewrites them.
 * `version` is the number of the commit that last changed the row. Rows in the order of their versions are the outbox to the
 * query side: a run that changed many times between two flushes is sent once, in its last state. A cursor in `meta` says how
 * far rows were sent.
 *
 * `due_at` is the run's one timer. Its meaning follows from the status: the end of a delay (DELAYED), a backoff (RETRYING), a
 * wait (WAITING_ON_WAITPOINT) or a lease (DEQUEUED, EXECUTING); the time by which the host must have confirmed a cancel
 * (CANCELED with a slot); the time at which the run is deleted (final).
 *
 * `slot` is 1 while the run counts against the limits. It follows the status with one exception: a run that is canceled
 * while it executes is CANCELED at once and keeps its slot until its host confirms that it has stopped.
 *
 * `journal_attempt` is the attempt that has a journal (0: none has). `attempt` counts the attempts that were
 * started and will not be resumed: a run that is suspended, or whose host was lost, has `journal_attempt` = `attempt` + 1,
 * and its next dequeue resumes that attempt. `waited`: there are rows in `waiters`. `messages` is the outbox to other objects.
 *
 * `keys` counts runs by concurrency key; `later` are DELAYED and PENDING_VERSION ones, `tat` is the key's rate limiter (see
 * `Rate`). `debounces` says which run a debounce key stands for; `expires_at` is when that run starts, at the latest.
 *
 * `limits` names the concurrency limits that the run holds beside those of its queue (see `limitSetOf`). `lanes` counts the runs
 * that hold any, by key and limits.
 *
 * `metrics` has what happened in the queue, minute by minute, for a day (see `QueueMetrics`).
 *
 * `kept_until` is when the last idempotency key that stands for the run expires (0: none does). An ended run is deleted
 * when retention is over, but not before: a key whose run is gone would execute it again.
 *
 * `usage_before_ms` is the value of `usage_ms` when the attempt began: the difference counts against its `maxDuration`.
 *
 * `token` is the fencing token of the latest lease and grows with each lease. `done_token` is the token of the lease whose
 * end was recorded: a repeated report of it is answered "ok", and a report with an older token "stale".
 */
export const QUEUE_MIGRATIONS = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE runs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task TEXT NOT NULL,
    status TEXT NOT NULL,
    slot INTEGER NOT NULL DEFAULT 0,
    concurrency_key TEXT NOT NULL DEFAULT '',
    order_at INTEGER NOT NULL,
    due_at INTEGER,
    ttl_at INTEGER,
    token INTEGER NOT NULL DEFAULT 0,
    done_token INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    host_id TEXT,
    session_id TEXT,
    deployment_id TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    queued_at INTEGER,
    delay_until INTEGER,
    started_at INTEGER,
    attempt_started_at INTEGER,
    completed_at INTEGER,
    updated_at INTEGER NOT NULL,
    usage_ms REAL NOT NULL DEFAULT 0,
    tags TEXT NOT NULL DEFAULT '[]',
    error_message TEXT,
    spec TEXT NOT NULL
  );
  CREATE INDEX runs_pending ON runs (concurrency_key, order_at, seq) WHERE status = 'PENDING';
  CREATE INDEX runs_due ON runs (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX runs_ttl ON runs (ttl_at) WHERE ttl_at IS NOT NULL;
  CREATE INDEX runs_leased ON runs (session_id) WHERE slot = 1;
  CREATE INDEX runs_parked ON runs (task) WHERE status = 'PENDING_VERSION';
  CREATE INDEX runs_version ON runs (version);
  CREATE TABLE payloads (seq INTEGER PRIMARY KEY, payload TEXT NOT NULL, payload_type TEXT NOT NULL);
  CREATE TABLE outputs (seq INTEGER PRIMARY KEY, output TEXT, output_type TEXT, error TEXT);
  CREATE TABLE metadata (seq INTEGER PRIMARY KEY, metadata TEXT NOT NULL);
  CREATE TABLE attempts (
    seq INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    host_id TEXT,
    error TEXT,
    PRIMARY KEY (seq, ordinal)
  ) WITHOUT ROWID;
  CREATE TABLE events (
    seq INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    time INTEGER NOT NULL,
    type TEXT NOT NULL,
    message TEXT NOT NULL,
    data TEXT,
    PRIMARY KEY (seq, ordinal)
  ) WITHOUT ROWID;
  CREATE TABLE deployments (id TEXT PRIMARY KEY, version TEXT NOT NULL, content_hash TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE keys (concurrency_key TEXT PRIMARY KEY, pending INTEGER NOT NULL, running INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE idempotency (
    task TEXT NOT NULL,
    key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (task, key)
  ) WITHOUT ROWID;
  CREATE INDEX idempotency_expiry ON idempotency (expires_at)`,
  `ALTER TABLE runs ADD COLUMN journal_attempt INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN checkpoint TEXT;
  ALTER TABLE runs ADD COLUMN waited INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE journal (
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    location TEXT,
    target TEXT,
    until_at INTEGER,
    started_at INTEGER NOT NULL,
    completed_at INTEGER,
    result TEXT,
    recorded TEXT,
    PRIMARY KEY (seq, attempt, number)
  ) WITHOUT ROWID;
  CREATE TABLE waiters (seq INTEGER NOT NULL, waiter TEXT NOT NULL, PRIMARY KEY (seq, waiter)) WITHOUT ROWID;
  CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)`,
  `ALTER TABLE keys ADD COLUMN later INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE keys ADD COLUMN tat REAL NOT NULL DEFAULT 0;
  INSERT INTO keys (concurrency_key, pending, running, later)
    SELECT concurrency_key, 0, 0, count(*) FROM runs WHERE status IN ('DELAYED', 'PENDING_VERSION') GROUP BY concurrency_key
    ON CONFLICT (concurrency_key) DO UPDATE SET later = excluded.later;
  INSERT INTO meta (key, value) SELECT 'declared', value FROM meta WHERE key = 'settings';
  INSERT INTO meta (key, value) SELECT 'paused', CASE json_extract(value, '$.paused') WHEN 1 THEN 'true' ELSE 'false' END FROM meta WHERE key = 'settings';
  DELETE FROM meta WHERE key = 'settings';
  CREATE TABLE debounces (
    task TEXT NOT NULL,
    key TEXT NOT NULL,
    run_id TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (task, key)
  ) WITHOUT ROWID;
  CREATE INDEX debounces_expiry ON debounces (expires_at)`,
  `ALTER TABLE runs ADD COLUMN usage_before_ms REAL NOT NULL DEFAULT 0`,
  `ALTER TABLE runs ADD COLUMN kept_until INTEGER NOT NULL DEFAULT 0;
  UPDATE runs SET kept_until = json_extract(spec, '$.idempotency.expiresAt')
    WHERE json_extract(spec, '$.idempotency.expiresAt') IS NOT NULL;
  UPDATE runs SET due_at = kept_until WHERE completed_at IS NOT NULL AND slot = 0 AND due_at < kept_until`,
  `ALTER TABLE runs ADD COLUMN limits TEXT NOT NULL DEFAULT '';
  DROP INDEX runs_pending;
  CREATE INDEX runs_pending ON runs (concurrency_key, limits, order_at, seq) WHERE status = 'PENDING';
  CREATE TABLE lanes (
    concurrency_key TEXT NOT NULL,
    limits TEXT NOT NULL,
    pending INTEGER NOT NULL,
    running INTEGER NOT NULL,
    PRIMARY KEY (concurrency_key, limits)
  ) WITHOUT ROWID`,
  `CREATE TABLE metrics (
    minute INTEGER PRIMARY KEY,
    queued_most INTEGER NOT NULL,
    queued_last INTEGER NOT NULL,
    running_most INTEGER NOT NULL,
    running_last INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    delays TEXT NOT NULL
  )`,
] as const;
