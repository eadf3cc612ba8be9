import { createHash } from "node:crypto";
import { newEnvironmentKey } from "@acme/durable-objects/routing";
import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { newId } from "@acme/sdk/contract";
import type {
  ArchiveBranchBody,
  CreateEnvironmentBody,
  EnvironmentLimitsBody,
  EnvironmentResponse,
  ProjectEnvironment,
} from "@acme/sdk/contract/api";
import { and, asc, count, eq, isNotNull, isNull, type SQL } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import { forgetKeys } from "../auth/credentials.ts";
import type { App } from "../bindings.ts";
import { cancelUnfinished } from "../bulk-actions/bulk-actions.ts";
import { Failure } from "../http/failure.ts";
import { environmentObjectOf } from "../objects.ts";
import { beginWithLimits } from "../operator/organization-limits.ts";
import { forgetMemberships, isVisibleTo } from "../people/membership.ts";
import { ENVIRONMENT_TYPES, environmentName } from "../storage/environment-types.ts";
import { openSql, required, type SqlConnection } from "../storage/sql-connection.ts";
import { environmentView } from "../views/environment-view.ts";
import { announced } from "./announced.ts";
import { auditStatement, deedIn } from "./audit.ts";
import { callerIdOf, requirePerson } from "./authenticate-organization.ts";
import { projectOf } from "./project-of.ts";

/** The maximum number of branches of one project; archived branches do not count. */
const BRANCHES = 500;

type Row = Awaited<ReturnType<typeof rowsOf>>[number];

/** Those of a project that the caller may see, archived branches too. */
export async function listEnvironments(c: Context<App>): Promise<ProjectEnvironment[]> {
  const connection = openSql(c.env);
  const visible = isVisibleTo(connection.tables, callerIdOf(c));
  return (await rowsOf(connection, projectOf(c.var.member).id, visible)).map(projectEnvironment);
}

function rowsOf({ db, tables: { environments } }: SqlConnection, projectId: string, where?: SQL) {
  return db
    .select()
    .from(environments)
    .where(and(eq(environments.projectId, projectId), where))
    .orderBy(asc(environments.slug));
}

interface Wanted {
  slug: string;
  type: EnvironmentRef["type"];
  userId?: string | null;
  parentKey?: string;
  branch?: string;
}

/** Creates an environment, or returns the existing one, so that a repeated call creates only one. */
export async function createEnvironment(
  c: Context<App>,
  body: z.output<typeof CreateEnvironmentBody>,
): Promise<ProjectEnvironment> {
  if (body.type === "dev") {
    const userId = personIdOf(c);
    const shared = await ensure(c, { slug: "dev", type: "DEVELOPMENT" });
    // The end of an id is random, so a short suffix is enough.
    const slug = `dev-${userId.slice(-8)}`;
    return ensure(c, { slug, type: "DEVELOPMENT", userId, parentKey: shared.key });
  }
  if (body.type !== "branch") return ensure(c, { slug: body.type, type: ENVIRONMENT_TYPES[body.type] });
  const { branch } = body;
  const parent =
    body.parent === "dev"
      ? await createEnvironment(c, { type: "dev" })
      : await ensure(c, { slug: "preview", type: "PREVIEW" });
  await checkBranches(c, parent.key, branch);
  const { key: parentKey, type, userId } = parent;
  return ensure(c, { slug: slugOfBranch(parent.slug, branch), type, parentKey, branch, userId });
}

/** Branch names can differ in characters that slugs can't contain: a hash distinguishes them. */
const slugOfBranch = (parent: string, branch: string): string => {
  const plain = branch
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 30);
  const hash = createHash("sha256").update(branch).digest("hex").slice(0, 8);
  return `${parent}-${plain === "" ? "" : `${plain}-`}${hash}`;
};

async function checkBranches(c: Context<App>, parentKey: string, branch: string): Promise<void> {
  const { db, tables } = openSql(c.env);
  const { environments } = tables;
  const open = await db
    .select({ count: count() })
    .from(environments)
    .where(and(eq(environments.parentKey, parentKey), isNull(environments.archivedAt)));
  if ((open[0]?.count ?? 0) < BRANCHES) return;
  throw new Failure(
    409,
    "too_many_branches",
    `The project has ${BRANCHES} branches, which is as many as it may. Archive some. The branch "${branch}" was not created.`,
  );
}

async function ensure(c: Context<App>, wanted: Wanted): Promise<ProjectEnvironment> {
  const place = { project: projectOf(c.var.member), organization: c.var.member.organization };
  return projectEnvironment(await ensureEnvironment(c, place, wanted));
}

/**
 * Returns the environment of this slug. If needed, creates it or restores it from the archive, with an entry
 * in the audit log.
 */
export async function ensureEnvironment(
  c: Context<App>,
  { project, organization }: Pick<EnvironmentRef, "project" | "organization">,
  wanted: Wanted,
): Promise<Row> {
  const connection = openSql(c.env);
  const { db, tables, atomically } = connection;
  const { environments } = tables;
  const bySlug = eq(environments.slug, wanted.slug);
  const there = (await rowsOf(connection, project.id, bySlug))[0];
  if (there && there.archivedAt === null) return there;
  const deed = {
    organizationId: organization.id,
    target: { type: "environment", id: there?.id ?? wanted.slug },
    scope: `${project.ref}/${wanted.slug}`,
    details: wanted.branch === undefined ? {} : { branch: wanted.branch },
  };
  if (there) {
    const environment = refOf(there, { project, organization });
    await environmentObjectOf(c.env, there.key).updateEnvironment(environment, { paused: false });
    await atomically([
      required(
        db
          .update(environments)
          .set({ archivedAt: null })
          .where(and(eq(environments.key, there.key), isNotNull(environments.archivedAt))),
      ),
      auditStatement(c, connection, { ...deed, action: "branch.restored" }),
    ]);
  } else {
    const made = { key: await newEnvironmentKey(c.env, wanted.type), id: newId("env"), ...wanted };
    const { slug, type } = wanted;
    await beginWithLimits(c.env, connection, {
      key: made.key,
      id: made.id,
      slug,
      type,
      project,
      organization,
    });
    await atomically([
      required(
        db
          .insert(environments)
          .values({ projectId: project.id, createdAt: Date.now(), ...made })
          .onConflictDoNothing({ target: [environments.projectId, environments.slug] }),
      ),
      auditStatement(c, connection, {
        ...deed,
        action: wanted.branch === undefined ? "environment.created" : "branch.created",
      }),
    ]);
  }
  forgetMemberships();
  const row = (await rowsOf(connection, project.id, bySlug))[0];
  if (!row) throw new Error("The environment that was just created does not exist");
  return row;
}

/** A development environment and its branches are a person's own. Throws a 403 for a token that is nobody's. */
const personIdOf = (c: Context<App>): string => callerIdOf(c) ?? requirePerson({ person: null }).id;

const refOf = (
  { id, key, slug, type }: Row,
  { organization, project }: Pick<EnvironmentRef, "project" | "organization">,
): EnvironmentRef => ({
  ...{ key, id, slug, type, project },
  organization: { id: organization.id, slug: organization.slug, name: organization.name },
});

/**
 * Archives a branch: pauses it, cancels its unfinished runs, and refuses its keys until it is created again.
 * Its runs stay visible until their retention ends. If this is interrupted, the branch is paused and can be
 * archived again.
 */
export async function archiveBranch(
  c: Context<App>,
  { branch, parent }: z.output<typeof ArchiveBranchBody>,
): Promise<ProjectEnvironment> {
  const connection = openSql(c.env);
  const { db, tables, atomically } = connection;
  const { environments } = tables;
  const project = projectOf(c.var.member);
  const named = and(
    eq(environments.branch, branch),
    eq(environments.type, ENVIRONMENT_TYPES[parent]),
    parent === "dev" ? eq(environments.userId, personIdOf(c)) : undefined,
  );
  const row = (await rowsOf(connection, project.id, named))[0];
  if (!row) {
    throw new Failure(404, "branch_not_found", `The project has no branch "${branch}". Nothing was changed.`);
  }
  if (row.archivedAt !== null) return projectEnvironment(row);
  const environment = refOf(row, { project, organization: c.var.member.organization });
  await environmentObjectOf(c.env, row.key).updateEnvironment(environment, { paused: true });
  // Waiting runs would otherwise wait forever, and never reach the end of their retention.
  await cancelUnfinished(c, environment, `Branch ${branch} was archived`.slice(0, 100));
  const archivedAt = Date.now();
  await atomically([
    required(
      db
        .update(environments)
        .set({ archivedAt })
        .where(and(eq(environments.key, row.key), isNull(environments.archivedAt))),
    ),
    auditStatement(c, connection, {
      organizationId: c.var.member.organization.id,
      action: "branch.archived",
      target: { type: "environment", id: row.id },
      scope: `${project.ref}/${row.slug}`,
      details: { branch },
    }),
  ]);
  forgetMemberships();
  forgetKeys();
  return projectEnvironment({ ...row, archivedAt });
}

/**
 * Applies settings that an organization's admins may change, within the limits set by the server's operator.
 */
export async function changeLimits(
  c: Context<App>,
  changes: z.output<typeof EnvironmentLimitsBody>,
): Promise<EnvironmentResponse> {
  const { environment } = c.var;
  const connection = openSql(c.env);
  const { organizations } = connection.tables;
  const rows = await connection.db
    .select({ ceiling: organizations.concurrencyCeiling })
    .from(organizations)
    .where(eq(organizations.id, environment.organization.id));
  const ceiling = rows[0]?.ceiling ?? null;
  const object = environmentObjectOf(c.env, environment.key);
  const { settings: before } = await object.environmentStats();
  const wanted = { ...before, ...changes };
  if (ceiling !== null && Math.floor(wanted.concurrencyLimit * wanted.burstFactor) > ceiling) {
    throw new Failure(
      403,
      "over_the_ceiling",
      `An environment of this organization may execute ${ceiling} runs at once, bursts included; this would be ${Math.floor(wanted.concurrencyLimit * wanted.burstFactor)}. Ask the server's operator for more. Nothing was changed.`,
    );
  }
  const deed = deedIn(environment, {
    action: "environment.limits_changed",
    target: { type: "environment", id: environment.id },
    details: changes,
  });
  const settings = await announced(c, deed, () => object.updateEnvironment(environment, changes));
  return environmentView(environment, settings);
}

const isoOf = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

const projectEnvironment = (row: Row): ProjectEnvironment => ({
  id: row.id,
  key: row.key,
  slug: row.slug,
  type: row.type,
  name: environmentName(row),
  branch: row.branch,
  userId: row.userId,
  createdAt: new Date(row.createdAt).toISOString(),
  archivedAt: isoOf(row.archivedAt),
});
