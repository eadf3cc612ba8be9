import type { Context } from "hono";
import type { App, Bindings } from "../bindings.ts";
import type { OfEnvironment } from "../people/require-role.ts";
import { isMemberBySession } from "../people/session-check.ts";
import { bearer, type Credential, isValidKeyHash } from "./credentials.ts";
import { isAllowedByToken } from "./token-check.ts";
import { sha256 } from "./tokens.ts";

/** By what a connection is known to have been opened, so that it can be checked again. Nobody can use it to open another one. */
export const keyProof = (key: string): string => `key ${sha256(key)}`;
export const accessTokenProof = (token: string): string => `access-token ${sha256(token)}`;
export const sessionProof = (session: { id: string; user: { id: string } }): string =>
  `session ${session.id} ${session.user.id}`;

/** Returns the proof for a request's credential; empty for a token that contains its own expiry. */
export function proofOf(c: Context<App>, credential: Credential): string {
  if (credential.type === "secretKey") return keyProof(bearer(c));
  if (credential.type === "accessToken") return accessTokenProof(bearer(c));
  return credential.type === "session" ? sessionProof(credential.session) : "";
}

/** Whether it is still valid, and still allows the operation that it opened a connection by. */
export async function isValidProof(
  env: Bindings,
  proof: string,
  environment: { key: string; id: string },
  operation: OfEnvironment,
): Promise<boolean> {
  const [kind, id = "", userId = ""] = proof.split(" ");
  if (kind === "key") return isValidKeyHash(env, id);
  if (kind === "access-token") return isAllowedByToken(env, id, environment, operation);
  if (kind === "session") return isMemberBySession(env, id, userId, environment.id, operation);
  return true;
}
