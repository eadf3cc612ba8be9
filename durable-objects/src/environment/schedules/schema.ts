/**
 * Schedules of an environment.
 *  - `due_at`: when its next run is due; null while it isn't active, and while a run is being created.
 *    Picking reads only this column.
 *  - `version` changes whenever the times of a schedule do: a decision made under an older version does not
 *    set the next tick.
 *  - `firings`: ticks that were picked and whose runs are being created. A run's id is stored before the run
 *    is created, so an interrupted creation is repeated with the same id, and one tick gives one run.
 */
export const SCHEDULES_TABLES = `CREATE TABLE schedules (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    -- The task of a declared schedule.
    deduplication_key TEXT NOT NULL,
    task TEXT NOT NULL,
    external_id TEXT,
    cron TEXT NOT NULL,
    timezone TEXT NOT NULL,
    window TEXT,
    active INTEGER NOT NULL,
    version INTEGER NOT NULL,
    last_tick INTEGER,
    next_tick INTEGER,
    due_at INTEGER
  );
  CREATE UNIQUE INDEX schedules_key ON schedules (type, deduplication_key);
  CREATE INDEX schedules_due ON schedules (due_at) WHERE due_at IS NOT NULL;
  CREATE TABLE firings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    schedule INTEGER NOT NULL,
    version INTEGER NOT NULL,
    tick INTEGER NOT NULL,
    next_tick INTEGER,
    next_due INTEGER,
    queue TEXT NOT NULL,
    item TEXT NOT NULL
  );
  CREATE INDEX firings_schedule ON firings (schedule)`;
