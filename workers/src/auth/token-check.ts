import { LEAST_ROLE, mayAs } from "@acme/sdk/contract/api";
import type { Bindings } from "../bindings.ts";
import { membershipNow } from "../people/membership.ts";
import type { OfEnvironment } from "../people/require-role.ts";
import { scopesAllow, scopesOf } from "../people/token-scopes.ts";
import { openRepository } from "../storage/open.ts";
import { openSql } from "../storage/sql-connection.ts";

/**
 * Whether an access token that opened a connection by an operation, known by its hash, is still valid and allows that, and its
 * person is still a member of the environment's organization who may do it.
 */
export async function isAllowedByToken(
  env: Bindings,
  hash: string,
  environment: { key: string; id: string },
  operation: OfEnvironment,
): Promise<boolean> {
  const repository = openRepository(env);
  const token = await repository.findAccessToken(hash);
  if (!token || (token.expiresAt !== null && token.expiresAt <= Date.now())) return false;
  if (!scopesAllow(scopesOf(token.scopes), operation)) return false;
  const { organizationId, userId } = token;
  if (userId === null) {
    const found = await repository.findEnvironmentByKey(environment.key);
    return found?.organization.id === organizationId;
  }
  const found = await membershipNow(openSql(env), userId, environment.id);
  return found?.environment.organization.id === organizationId && mayAs(found.role, LEAST_ROLE[operation]);
}
