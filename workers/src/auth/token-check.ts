import type { Bindings } from "../bindings.ts";
import { membershipOf } from "../people/membership.ts";
import { scopesAllow, scopesOf } from "../people/token-scopes.ts";
import { openRepository } from "../storage/open.ts";
import { openSql } from "../storage/sql-connection.ts";

/**
 * Whether an access token that opened a connection, known by its hash, is still valid, and its person still a member of the
 * environment's organization.
 */
export async function isAllowedByToken(
  env: Bindings,
  hash: string,
  environment: { key: string; id: string },
): Promise<boolean> {
  const repository = openRepository(env);
  const token = await repository.findAccessToken(hash);
  if (!token || (token.expiresAt !== null && token.expiresAt <= Date.now())) return false;
  if (!scopesAllow(scopesOf(token.scopes), "listRuns")) return false;
  const { organizationId, userId } = token;
  const found =
    userId === null
      ? await repository.findEnvironmentByKey(environment.key)
      : (await membershipOf(() => openSql(env), userId, environment.id))?.environment;
  return found?.organization.id === organizationId;
}
