import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import type { MeResponse, Role } from "@acme/sdk/contract/api";
import { and, asc, eq, isNull } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import { environmentObjectOf } from "../objects.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { memberEnvironments } from "./membership.ts";
import type { Person } from "./session.ts";

type Organization = MeResponse["organizations"][number];

/** Returns a person with all of their memberships. Each environment's object knows whether it is paused. */
export async function meOf(env: Bindings, connection: SqlConnection, user: Person): Promise<MeResponse> {
  const [memberships, projects, environments] = await Promise.all([
    organizationsOf(connection, user.id),
    projectsOf(connection, user.id),
    memberEnvironments(connection, user.id),
  ]);
  const views = await Promise.all(
    environments.map(async ({ environment, name }) => ({
      projectId: environment.project.id,
      view: await environmentOfMe(env, environment, name),
    })),
  );
  const organizations = memberships.map(({ organization, role }): Organization => {
    const own = projects.filter((project) => project.organizationId === organization.id);
    return {
      ...organization,
      role,
      projects: own.map(({ id, ref, name }) => ({
        id,
        ref,
        name,
        environments: views.filter(({ projectId }) => projectId === id).map(({ view }) => view),
      })),
    };
  });
  return { user, organizations };
}

async function environmentOfMe(env: Bindings, environment: EnvironmentRef, name: string) {
  const { settings } = await environmentObjectOf(env, environment.key).environmentStats();
  const { id, key, slug, type } = environment;
  return { id, key, slug, type, name, paused: settings.paused };
}

function organizationsOf(
  { db, tables: { organizations, members } }: SqlConnection,
  userId: string,
): Promise<{ role: Role; organization: { id: string; slug: string; name: string } }[]> {
  const { id, slug, name } = organizations;
  return Promise.resolve(
    db
      .select({ role: members.role, organization: { id, slug, name } })
      .from(members)
      .innerJoin(organizations, eq(organizations.id, members.organizationId))
      .where(eq(members.userId, userId))
      .orderBy(asc(slug)),
  );
}

function projectsOf({ db, tables: { projects, members } }: SqlConnection, userId: string) {
  const { id, ref, name, organizationId } = projects;
  return db
    .select({ id, ref, name, organizationId })
    .from(projects)
    .innerJoin(members, eq(members.organizationId, organizationId))
    .where(and(eq(members.userId, userId), isNull(projects.deletedAt)))
    .orderBy(asc(ref));
}
