import { BootstrapBody } from "@acme/sdk/contract/api";
import { Hono } from "hono";
import { type App, authenticateSecret } from "../auth.ts";
import { readBody } from "../body.ts";
import { Failure } from "../failure.ts";
import { openRepository } from "../storage/open.ts";
import { sha256 } from "../tokens.ts";

/** What sets up a new server: its first organization, project, environments and keys. */
export const adminRoutes = new Hono<App>().post("/admin/v1/bootstrap", async (c) => {
  authenticateSecret(c, c.env.ADMIN_TOKEN, "admin token");
  const { organization, project, secretKeys, accessToken } = await readBody(c, BootstrapBody);
  const keyHashes = Object.fromEntries(Object.entries(secretKeys).map(([slug, key]) => [slug, sha256(key)]));
  const accessTokenHash = sha256(accessToken);
  const created = await openRepository(c.env).bootstrap({
    organization,
    project,
    keyHashes,
    accessTokenHash,
  });
  if ("conflict" in created) throw new Failure(409, "conflict", created.conflict);
  return c.json({
    organizationId: created.organizationId,
    projectRef: project.ref,
    environments: created.environments.map(({ slug, key, id, type }) => ({ slug, key, id, type })),
  });
});
