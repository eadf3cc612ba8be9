/** Applies workers/migrations/postgres to the database at `url`. Throws when it can't. */
export function migratePostgres(url: string): Promise<void>;
