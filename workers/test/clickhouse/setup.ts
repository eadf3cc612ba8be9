import { ClickHouseLogLevel, createClient } from "@clickhouse/client";
import type { TestProject } from "vitest/node";
import { startClickhouse } from "../../../scripts/clickhouse/start.ts";
import { migrateClickHouse } from "../../src/telemetry/clickhouse/migrate.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The URL of a database with the current schema. */
    clickhouseUrl: string;
  }
}

const DATABASE = "acme";

/** A real ClickHouse for all files of the project, migrated as a server's is. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startClickhouse();
  const [root, client] = ["default", DATABASE].map((database) =>
    createClient({ url: server.url, database, log: { level: ClickHouseLogLevel.OFF } }),
  ) as [ReturnType<typeof createClient>, ReturnType<typeof createClient>];
  try {
    await migrateClickHouse(root, client, DATABASE);
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    await Promise.all([root.close(), client.close()]);
  }
  project.provide("clickhouseUrl", `${server.url}/${DATABASE}`);
  return server.stop;
}
