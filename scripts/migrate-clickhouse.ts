/**
 * `npm run migrate:clickhouse [-- URL]`: creates the database and tables in ClickHouse, or migrates them to
 * the current version (default URL: the environment variable CLICKHOUSE_URL). Two calls at once do no harm.
 */
import { clickhouseAddress, migrate } from "../server/src/clickhouse.ts";

const url = process.argv[2] ?? process.env.CLICKHOUSE_URL;
if (!url) {
  console.error(
    "Name the server: npm run migrate:clickhouse -- http://USER:PASSWORD@HOST:8123/DATABASE (or set CLICKHOUSE_URL)",
  );
  process.exit(1);
}
try {
  const applied = await migrate(clickhouseAddress(url));
  console.log(
    applied.length === 0
      ? "ClickHouse has the current schema"
      : `ClickHouse is migrated: ${applied.join(", ")}`,
  );
} catch (error) {
  console.error(
    `ClickHouse could not be migrated: ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exit(1);
}
