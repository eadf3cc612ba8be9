/** The text of workers/migrations/sqlite.ts, from the SQL files. */
export function migrationsModule(): string;
