import type { TestProject } from "vitest/node";
import { migratePostgres } from "../../../scripts/migrate-postgres.mjs";
import { startPostgres } from "./postgres-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Of a real server, with the migrations applied. */
    postgresUrl: string;
  }
}

/** One real Postgres for all storage tests of a project. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres();
  try {
    await migratePostgres(server.url);
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide("postgresUrl", server.url);
  return server.stop;
}
