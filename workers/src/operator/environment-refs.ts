import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { and, asc, isNull, type SQL } from "drizzle-orm";
import { selectEnvironments } from "../storage/select-environments.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";

/** Returns the matching environments of projects that were not deleted, in the order of their keys. */
export async function environmentRefs(
  connection: SqlConnection,
  where: SQL | undefined,
  limit: number,
): Promise<EnvironmentRef[]> {
  const { projects, environments } = connection.tables;
  return selectEnvironments(connection)
    .where(and(isNull(projects.deletedAt), where))
    .orderBy(asc(environments.key))
    .limit(limit);
}
