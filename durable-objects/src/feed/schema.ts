export const FEED_MIGRATIONS = [
  `CREATE TABLE logs (
    id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL,
    time REAL NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    properties TEXT
  )`,
  "CREATE TABLE watched (run_id TEXT PRIMARY KEY) WITHOUT ROWID",
  `CREATE TABLE streams (key TEXT PRIMARY KEY, next_seq INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE records (
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (stream, seq)
  ) WITHOUT ROWID;
  CREATE TABLE writers (
    stream TEXT NOT NULL,
    client TEXT NOT NULL,
    last_index INTEGER NOT NULL,
    PRIMARY KEY (stream, client)
  ) WITHOUT ROWID;
  CREATE TABLE input_waits (
    stream TEXT NOT NULL,
    token TEXT NOT NULL,
    after INTEGER NOT NULL,
    PRIMARY KEY (stream, token)
  ) WITHOUT ROWID`,
  `CREATE TABLE watched_streams (key TEXT PRIMARY KEY, run_id TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE log_batches (sender TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID`,
  "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
  `ALTER TABLE logs ADD COLUMN trace_id TEXT;
  ALTER TABLE logs ADD COLUMN span_id TEXT;
  ALTER TABLE log_batches ADD COLUMN first INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO totals (name, value)
    SELECT 'log_bytes', coalesce(sum(length(message) + coalesce(length(properties), 0) + 40), 0) FROM logs;
  CREATE TABLE spans (
    seq INTEGER PRIMARY KEY,
    span_id TEXT NOT NULL UNIQUE,
    is_over INTEGER NOT NULL,
    body TEXT NOT NULL
  );
  CREATE TABLE metrics (seq INTEGER PRIMARY KEY, name TEXT NOT NULL, time REAL NOT NULL, body TEXT NOT NULL);
  CREATE INDEX metrics_by_name ON metrics (name, time)`,
  "ALTER TABLE log_batches ADD COLUMN earlier TEXT",
];
