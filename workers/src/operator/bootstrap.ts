import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { type BootstrapBody, type BootstrapResponse, ENVIRONMENT_SLUGS } from "@acme/sdk/contract/api";
import { and, asc, eq, inArray } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import { sha256 } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { adoptAccessToken } from "../control/access-tokens.ts";
import { ensureEnvironment } from "../control/environments.ts";
import { adoptKey } from "../control/keys.ts";
import { newOrganization } from "../control/organizations.ts";
import { insertProject } from "../control/projects.ts";
import { Failure } from "../http/failure.ts";
import { ENVIRONMENT_TYPES } from "../storage/environment-types.ts";
import { selectEnvironments } from "../storage/select-environments.ts";
import { isUniqueViolation, openSql, type SqlConnection } from "../storage/sql-connection.ts";

type Wanted = z.output<typeof BootstrapBody>;
type Tables = SqlConnection["tables"];
type Place = Pick<EnvironmentRef, "project" | "organization">;

/**
 * Sets up a new server: an organization, a project, its environments, a key for each and an access token.
 * Each is created in a transaction with its entry in the audit log. Existing parts are not changed, so an
 * interrupted call can be repeated. Parts that have been revoked or deleted since are not restored, and the
 * response names them.
 */
export async function bootstrap(
  c: Context<App>,
  wanted: Wanted,
): Promise<z.output<typeof BootstrapResponse>> {
  const connection = openSql(c.env);
  const there = await findThere(connection, wanted);
  refuseConflicts(wanted, there);
  const organization = await ensureOrganization(c, connection, wanted.organization);
  const project = await ensureProject(c, connection, organization, wanted.project);
  const warnings = warningsOf(wanted, there, project);
  if (project.deletedAt === null) await ensureKeys(c, connection, { project, organization }, wanted, there);
  if (!there.token) await orThere(() => adoptAccessToken(c, connection, organization.id, wanted.accessToken));
  const environments = await ownEnvironments(connection, project.id);
  return {
    organizationId: organization.id,
    projectRef: project.ref,
    environments: environments.map(({ slug, key, id, type }) => ({ slug: slugOf(slug), key, id, type })),
    warnings,
  };
}

/** Does the work, unless another request is doing it at the same time. */
async function orThere(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
  }
}

/** Returns the existing row, or creates it. */
async function ensured<T>(find: () => Promise<T | undefined>, create: () => Promise<unknown>): Promise<T> {
  const there = await find();
  if (there) return there;
  await orThere(create);
  const made = await find();
  if (!made) throw new Error("The row that was just created does not exist");
  return made;
}

const ensureOrganization = (c: Context<App>, connection: SqlConnection, wanted: Wanted["organization"]) => {
  const { organizations } = connection.tables;
  return ensured<Tables["organizations"]["$inferSelect"]>(
    async () =>
      (await connection.db.select().from(organizations).where(eq(organizations.slug, wanted.slug)))[0],
    () => connection.atomically(newOrganization(c, connection, wanted).statements),
  );
};

const ensureProject = (
  c: Context<App>,
  connection: SqlConnection,
  organization: EnvironmentRef["organization"],
  wanted: Wanted["project"],
) => {
  const { projects } = connection.tables;
  return ensured<Tables["projects"]["$inferSelect"]>(
    async () => (await connection.db.select().from(projects).where(eq(projects.ref, wanted.ref)))[0],
    () => insertProject(c, connection, organization, wanted),
  );
};

async function ensureKeys(
  c: Context<App>,
  connection: SqlConnection,
  place: Place,
  { secretKeys }: Wanted,
  there: There,
): Promise<void> {
  for (const slug of ENVIRONMENT_SLUGS) {
    const secret = secretKeys[slug];
    if (secret === undefined) continue;
    const type = ENVIRONMENT_TYPES[slug];
    const { key, id } = await ensureEnvironment(c, place, { slug, type });
    if (there.keys.some(({ hash }) => hash === sha256(secret))) continue;
    await orThere(() => adoptKey(c, connection, { ...place, key, id, slug, type }, secret));
  }
}

const slugOf = (text: string): keyof typeof ENVIRONMENT_TYPES => {
  const slug = ENVIRONMENT_SLUGS.find((each) => each === text);
  if (!slug) throw new Error(`"${text}" is a branch's or a member's`);
  return slug;
};

/** The project's own environments, without those of branches and members. */
const ownEnvironments = (connection: SqlConnection, projectId: string): Promise<EnvironmentRef[]> => {
  const { projects, environments } = connection.tables;
  return Promise.resolve(
    selectEnvironments(connection)
      .where(and(eq(projects.id, projectId), inArray(environments.slug, [...ENVIRONMENT_SLUGS])))
      .orderBy(asc(environments.slug)),
  );
};

type There = Awaited<ReturnType<typeof findThere>>;

/** Returns the owners of the requested project, keys and token, if they exist. */
async function findThere(
  { db, tables }: SqlConnection,
  { project: { ref }, secretKeys, accessToken }: Wanted,
) {
  const { organizations, projects, environments, apiKeys, accessTokens } = tables;
  const owner = organizations.slug;
  const [project] = await db
    .select({ owner })
    .from(projects)
    .innerJoin(organizations, eq(organizations.id, projects.organizationId))
    .where(eq(projects.ref, ref));
  const keys = await db
    .select({
      hash: apiKeys.hash,
      revokedAt: apiKeys.revokedAt,
      ref: projects.ref,
      slug: environments.slug,
    })
    .from(apiKeys)
    .innerJoin(environments, eq(environments.key, apiKeys.environmentKey))
    .innerJoin(projects, eq(projects.id, environments.projectId))
    .where(inArray(apiKeys.hash, Object.values(secretKeys).map(sha256)));
  const [token] = await db
    .select({ owner, revokedAt: accessTokens.revokedAt })
    .from(accessTokens)
    .innerJoin(organizations, eq(organizations.id, accessTokens.organizationId))
    .where(eq(accessTokens.hash, sha256(accessToken)));
  return { project, keys, token };
}

/** Throws a 409 if a part belongs to another organization. Changes nothing. */
function refuseConflicts(
  { organization: { slug }, project: { ref }, secretKeys }: Wanted,
  { project, keys, token }: There,
): void {
  if (project && project.owner !== slug)
    throw conflict(
      `Project "${ref}" belongs to organization "${project.owner}". Choose another project ref.`,
    );
  for (const key of keys) {
    const own = Object.entries(secretKeys).some(
      ([name, text]) => name === key.slug && sha256(text) === key.hash,
    );
    if (key.ref === ref && own) continue;
    throw conflict(
      `A secret key is in use for environment "${key.slug}" of project "${key.ref}". Make a new one.`,
    );
  }
  if (token && token.owner !== slug)
    throw conflict("The access token is another organization's. Make a new one.");
}

const conflict = (message: string): Failure =>
  new Failure(409, "conflict", `${message} Nothing was changed.`);

/** Returns the parts that exist and are no longer valid. */
function warningsOf(
  { project: { ref } }: Wanted,
  { keys, token }: There,
  project: { deletedAt: number | null },
): string[] {
  if (project.deletedAt !== null) return [`The project "${ref}" was deleted, and is not created again.`];
  const ended = (at: number | null | undefined): boolean => typeof at === "number" && at <= Date.now();
  return [
    ...keys
      .filter(({ revokedAt }) => ended(revokedAt))
      .map(({ slug }) => `The secret key of "${slug}" was revoked or has expired, and is not accepted.`),
    ...(ended(token?.revokedAt) ? ["The access token was revoked, and is not accepted."] : []),
  ];
}
