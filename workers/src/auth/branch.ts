import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { NO_DEV_BRANCH } from "@acme/sdk/contract/api";
import { and, eq, isNull, type SQL } from "drizzle-orm";
import type { Context } from "hono";
import type { App, Bindings } from "../bindings.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { openSql } from "../storage/sql-connection.ts";

/** Names a branch of a preview or development environment, whose key or name the request comes with. */
export const BRANCH_HEADER = "x-trigger-branch";

/** The maximum time after which an archived or created branch is known. */
const BRANCH_CACHE_MS = 10_000;

interface Branch {
  environment: Pick<EnvironmentRef, "key" | "id" | "slug" | "type">;
  name: string;
  archived: boolean;
}

const cache = new Cache<Branch>(BRANCH_CACHE_MS);

/** To be called when branches were created or archived, so that this isolate knows at once. */
export const forgetBranches = (): void => cache.clear();

/** Whether an environment of this type can have branches, or be one. */
export const hasBranches = ({ type }: Pick<EnvironmentRef, "type">): boolean =>
  type === "PREVIEW" || type === "DEVELOPMENT";

/**
 * Returns the environment that a request acts on: with the header above, a branch of the preview environment.
 * Other environments have no branches and ignore the header. An archived branch is read-only. Throws a 400, 404 or
 * 409.
 */
export async function inBranch(c: Context<App>, environment: EnvironmentRef): Promise<EnvironmentRef> {
  if (!hasBranches(environment)) return environment;
  const branch = await branchOf(c.env, environment, c.req.header(BRANCH_HEADER));
  if (!branch) return environment;
  if (branch.archived && c.req.method !== "GET" && c.req.method !== "HEAD") {
    throw new Failure(
      409,
      "branch_archived",
      `Branch "${branch.name}" was archived, so nothing can be triggered or changed there. Create it again to go on. Nothing was changed.`,
    );
  }
  return { ...environment, ...branch.environment };
}

/** Returns the named branch, or the branch that the environment is; null if neither. Throws a 400 or 404. */
export async function branchOf(
  env: Bindings,
  environment: EnvironmentRef,
  header: string | undefined,
): Promise<Branch | null> {
  const named = environment.type === "DEVELOPMENT" && header === NO_DEV_BRANCH ? undefined : header;
  const own = await find(env, `own ${environment.key}`, (environments) =>
    eq(environments.key, environment.key),
  );
  if (own && (named === undefined || named === own.name)) return own;
  if (named === undefined) return null;
  if (own) {
    throw new Failure(
      400,
      "wrong_branch",
      `This key is of branch "${own.name}", and the header ${BRANCH_HEADER} names "${named.slice(0, 128)}". Use the key of the environment that it is a branch of, or leave the header out. Nothing was changed.`,
    );
  }
  const found = await find(env, `${environment.key} ${named}`, (environments) =>
    and(eq(environments.parentKey, environment.key), eq(environments.branch, named)),
  );
  if (found) return found;
  throw new Failure(
    404,
    "branch_not_found",
    `Environment "${environment.slug}" of project "${environment.project.ref}" has no branch "${named.slice(0, 128)}". Create it: npx acme branches create NAME${environment.type === "DEVELOPMENT" ? " --env dev" : ""}. Nothing was changed.`,
  );
}

function find(
  env: Bindings,
  cacheKey: string,
  where: (environments: ReturnType<typeof openSql>["tables"]["environments"]) => SQL | undefined,
): Promise<Branch | null> {
  return cache.through(cacheKey, async () => {
    const { db, tables } = openSql(env);
    const { environments, projects } = tables;
    const rows = await db
      .select({
        environment: {
          key: environments.key,
          id: environments.id,
          slug: environments.slug,
          type: environments.type,
        },
        name: environments.branch,
        archivedAt: environments.archivedAt,
      })
      .from(environments)
      .innerJoin(projects, eq(projects.id, environments.projectId))
      .where(and(where(environments), isNull(projects.deletedAt)))
      .limit(1);
    const row = rows[0];
    if (!row || row.name === null) return null;
    return { environment: row.environment, name: row.name, archived: row.archivedAt !== null };
  });
}
