/** Functions that set ClickHouse up from outside the Worker. */
export { migrateClickHouse } from "./migrate.ts";
export { type ClickHouseAddress, parseClickHouseUrl } from "./settings.ts";
