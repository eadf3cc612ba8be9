import type { EnvironmentRef, EnvironmentSettings } from "@acme/durable-objects/rpc";
import type { OrganizationLimitsBody, OrganizationLimitsResponse } from "@acme/sdk/contract/api";
import { and, eq, gt } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import type { App, Bindings } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { environmentObjectOf } from "../objects.ts";
import { openSql, type SqlConnection } from "../storage/sql-connection.ts";
import { environmentRefs } from "./environment-refs.ts";
import { DEFAULT_WEIGHT, organizationBySlug } from "./organizations.ts";

/** The number of environments that are changed at once. */
const PARALLEL = 25;

type Limits = Pick<EnvironmentSettings, "concurrencyLimit" | "burstFactor">;

/** Returns the changes that keep an environment's limits below the ceiling, including bursts. */
export function loweredTo(
  ceiling: number | null,
  { concurrencyLimit, burstFactor }: Limits,
): Partial<Limits> {
  if (ceiling === null || Math.floor(concurrencyLimit * burstFactor) <= ceiling) return {};
  const lowered = Math.min(concurrencyLimit, ceiling);
  return { concurrencyLimit: lowered, burstFactor: Math.max(1, ceiling / Math.max(1, lowered)) };
}

/**
 * Sets an organization's limits and weight. If this is interrupted, only some environments have them:
 * repeating the call completes it. Environments that are created later start with them.
 */
export async function changeOrganizationLimits(
  c: Context<App>,
  slug: string,
  changes: z.output<typeof OrganizationLimitsBody>,
): Promise<OrganizationLimitsResponse> {
  const connection = openSql(c.env);
  const { organizations } = connection.tables;
  const { id, ...before } = await organizationBySlug(connection, slug);
  const { weight = before.weight, concurrencyCeiling = before.concurrencyCeiling } = changes;
  const deed = {
    organizationId: id,
    action: "organization.limits_changed",
    target: { type: "organization", id },
    details: {
      from: { weight: before.weight, concurrencyCeiling: before.concurrencyCeiling },
      to: { weight, concurrencyCeiling },
    },
  };
  return announced(c, deed, async () => {
    await connection.db
      .update(organizations)
      .set({ weight, concurrencyCeiling })
      .where(eq(organizations.id, id));
    const limits = { weight, concurrencyCeiling };
    const names: string[] = [];
    const lowered: string[] = [];
    for await (const page of pagesOf(connection, id)) {
      await Promise.all(
        page.map(async (environment) => {
          const name = `${environment.project.ref}/${environment.slug}`;
          names.push(name);
          if (await applyLimits(c.env, environment, limits)) lowered.push(name);
        }),
      );
    }
    return {
      weight: weight ?? DEFAULT_WEIGHT,
      concurrencyCeiling,
      environments: names.sort(),
      lowered: lowered.sort(),
    };
  });
}

async function* pagesOf(connection: SqlConnection, organizationId: string): AsyncGenerator<EnvironmentRef[]> {
  const { projects, environments } = connection.tables;
  const own = eq(projects.organizationId, organizationId);
  for (let after = ""; ; ) {
    const page = await environmentRefs(connection, and(own, gt(environments.key, after)), PARALLEL);
    yield page;
    const last = page.at(-1);
    if (!last || page.length < PARALLEL) return;
    after = last.key;
  }
}

/**
 * Applies the organization's limits to an environment. Returns true if its own limits were above the ceiling
 * and were lowered.
 */
export async function applyLimits(
  env: Bindings,
  environment: EnvironmentRef,
  { weight, concurrencyCeiling }: { weight: number | null; concurrencyCeiling: number | null },
): Promise<boolean> {
  if (weight === null && concurrencyCeiling === null) return false;
  const object = environmentObjectOf(env, environment.key);
  const lowered =
    concurrencyCeiling === null
      ? {}
      : loweredTo(concurrencyCeiling, (await object.environmentStats()).settings);
  await object.updateEnvironment(environment, { weight: weight ?? DEFAULT_WEIGHT, ...lowered });
  return Object.keys(lowered).length > 0;
}

/**
 * Gives a new environment the limits of its organization. Called before the environment is in the database:
 * if that fails, nobody ever finds the object.
 */
export async function beginWithLimits(
  env: Bindings,
  { db, tables }: SqlConnection,
  environment: EnvironmentRef,
): Promise<void> {
  const { id, weight, concurrencyCeiling } = tables.organizations;
  const rows = await db
    .select({ weight, concurrencyCeiling })
    .from(tables.organizations)
    .where(eq(id, environment.organization.id));
  if (rows[0]) await applyLimits(env, environment, rows[0]);
}
