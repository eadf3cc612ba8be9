import type { ProjectDeletionCounts } from "@acme/sdk/contract/api";
import { and, count, eq, gt, inArray, isNull, or } from "drizzle-orm";
import type { Context } from "hono";
import type { App } from "../../bindings.ts";
import { schedulesOf } from "../../objects.ts";
import { openRepository } from "../../storage/open.ts";
import { openSql } from "../../storage/sql-connection.ts";
import { environmentsOfProject } from "./environments.ts";

/** The number of environments that are queried at once. */
const PARALLEL = 25;

/** Counts what would be deleted with the project that the path names. Changes nothing. */
export async function deletionCounts(c: Context<App>): Promise<ProjectDeletionCounts> {
  const connection = openSql(c.env);
  const { db, tables } = connection;
  const { apiKeys, variables, deployments } = tables;
  const { project, environments } = await environmentsOfProject(c);
  const keys = db
    .select({ key: tables.environments.key })
    .from(tables.environments)
    .where(eq(tables.environments.projectId, project.id));
  const valid = or(isNull(apiKeys.revokedAt), gt(apiKeys.revokedAt, Date.now()));
  const [ofKeys, ofVariables, ofDeployments] = await Promise.all([
    db
      .select({ count: count() })
      .from(apiKeys)
      .where(and(inArray(apiKeys.environmentKey, keys), valid)),
    db.select({ count: count() }).from(variables).where(inArray(variables.environmentKey, keys)),
    db.select({ count: count() }).from(deployments).where(inArray(deployments.environmentKey, keys)),
  ]);
  let schedules = 0;
  let unfinishedRuns = 0;
  let runs = 0;
  const repository = openRepository(c.env);
  const sum = (counts: Partial<Record<string, number>>) =>
    Object.values(counts).reduce((total: number, each) => total + (each ?? 0), 0);
  for (let start = 0; start < environments.length; start += PARALLEL) {
    await Promise.all(
      environments.slice(start, start + PARALLEL).map(async ({ key }) => {
        const [listed, unfinished, all] = await Promise.all([
          schedulesOf(c.env, key).listSchedules(1, 1),
          repository.countUnfinished(key),
          repository.countRuns(key, {}),
        ]);
        schedules += listed.count;
        unfinishedRuns += sum(unfinished);
        runs += sum(all);
      }),
    );
  }
  return {
    ref: project.ref,
    name: project.name,
    environments: environments.map(({ slug }) => slug),
    apiKeys: ofKeys[0]?.count ?? 0,
    variables: ofVariables[0]?.count ?? 0,
    deployments: ofDeployments[0]?.count ?? 0,
    schedules,
    runs,
    unfinishedRuns,
  };
}
