import { eq } from "drizzle-orm";
import type { SqlDatabase, SqlTables } from "./sql-database.ts";

/** The columns of an EnvironmentRef, from environments, their projects and organizations. */
export const environmentColumns = ({ organizations, projects, environments }: SqlTables) => ({
  key: environments.key,
  id: environments.id,
  slug: environments.slug,
  type: environments.type,
  project: { id: projects.id, ref: projects.ref, name: projects.name },
  organization: { id: organizations.id, slug: organizations.slug, name: organizations.name },
});

/** A query for EnvironmentRefs, without a condition and an order. */
export const selectEnvironments = ({ db, tables }: Pick<SqlDatabase, "db" | "tables">) =>
  db
    .select(environmentColumns(tables))
    .from(tables.environments)
    .innerJoin(tables.projects, eq(tables.projects.id, tables.environments.projectId))
    .innerJoin(tables.organizations, eq(tables.organizations.id, tables.projects.organizationId));
