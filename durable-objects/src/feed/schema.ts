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
];
