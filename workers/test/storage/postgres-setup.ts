import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startPostgres } from "./postgres-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The URL of a database on a real server, with the migrations applied. */
    postgresUrl: string;
  }
}

const MIGRATE = join(import.meta.dirname, "../../../scripts/migrate-postgres.mjs");

/** One real Postgres for all storage tests of a project, migrated as a user would. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres();
  try {
    // By itself: under a workerd project's module conditions, the driver here would be the one for Workers.
    execFileSync(process.execPath, [MIGRATE, server.url], { stdio: "pipe" });
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide("postgresUrl", server.url);
  return server.stop;
}
