import { createHash } from "node:crypto";
import { newId, randomBase36 } from "@acme/sdk/contract";
import type { SqlDatabase } from "../../src/storage/sql-database.ts";

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export interface Account {
  organization: { id: string; slug: string; name: string };
  project: { id: string; ref: string; name: string };
  /** Environment keys. */
  prod: string;
  dev: string;
  /** SHA-256 of secrets. */
  prodKeyHash: string;
  devKeyHash: string;
  accessTokenHash: string;
}

/** Stores a separate organization with a project, so that tests share a database but no data in it. */
export async function anAccount({ db, tables }: Pick<SqlDatabase, "db" | "tables">): Promise<Account> {
  const unique = randomBase36(10);
  const createdAt = Date.now();
  const organization = { id: newId("org"), slug: `org-${unique}`, name: "Wile E. Coyote" };
  const project = { id: newId("project"), ref: `proj_${unique}`, name: "Road" };
  const [prod, dev] = [randomBase36(8), randomBase36(8)];
  const [prodKeyHash, devKeyHash] = [sha256(`tr_prod_${unique}`), sha256(`tr_dev_${unique}`)];
  const accessTokenHash = sha256(`tr_pat_${unique}`);
  await db.insert(tables.organizations).values({ ...organization, createdAt });
  await db.insert(tables.projects).values({ ...project, organizationId: organization.id, createdAt });
  const environment = (key: string, slug: string, type: "PRODUCTION" | "DEVELOPMENT") =>
    db
      .insert(tables.environments)
      .values({ key, id: newId("env"), projectId: project.id, slug, type, createdAt });
  await environment(prod, "prod", "PRODUCTION");
  await environment(dev, "dev", "DEVELOPMENT");
  await db.insert(tables.apiKeys).values({ hash: prodKeyHash, environmentKey: prod, createdAt });
  await db.insert(tables.apiKeys).values({ hash: devKeyHash, environmentKey: dev, createdAt });
  await db
    .insert(tables.accessTokens)
    .values({ hash: accessTokenHash, id: newId("pat"), organizationId: organization.id, createdAt });
  return { organization, project, prod, dev, prodKeyHash, devKeyHash, accessTokenHash };
}
