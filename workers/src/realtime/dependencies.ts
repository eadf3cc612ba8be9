import { knownColumns } from "@acme/durable-objects/routing";
import type { EnvironmentRef, LiveDependencies, LiveFailure, LivePrincipal } from "@acme/durable-objects/rpc";
import { type TokenHolder, tokenHolder } from "../auth/credentials.ts";
import { accessTokenProof, isValidProof, keyProof, sessionProof } from "../auth/proof.ts";
import type { Bindings } from "../bindings.ts";
import type { Session } from "../people/session.ts";
import { openRepository } from "../storage/open.ts";
import { summaryOf } from "../views/run-view.ts";
import { listRuns } from "./list-runs.ts";

/** Cloudflare's limit for one object is 32,768. */
const MOST_SOCKETS = 30_000;

/** The functions of the Worker that the LiveObject uses. */
export const liveDependencies: LiveDependencies<Bindings> = {
  listRuns: (env, environmentKey, filter, limit) =>
    listRuns(openRepository(env), environmentKey, filter, limit),
  countUnfinished: (env, environmentKey) => openRepository(env).countUnfinished(environmentKey),
  summaryOf,
  mostSockets: ({ MAX_LIVE_SOCKETS }) => ({
    each: MOST_SOCKETS,
    all: MAX_LIVE_SOCKETS ? Number(MAX_LIVE_SOCKETS) : Number.POSITIVE_INFINITY,
  }),
  authenticate: livePrincipal,
  isValid: (env, { proof, environment }) => isValidProof(env, proof, environment, "listRuns"),
};

/** Returns the principal of a signed-in person. */
export const sessionPrincipal = (environment: EnvironmentRef, session: Session): LivePrincipal => ({
  environment: { key: environment.key, id: environment.id, slug: environment.slug },
  scopes: null,
  expiresAt: null,
  proof: sessionProof(session),
});

/** Returns the principal of an access token, which may read everything in the environment. */
export const accessTokenPrincipal = (environment: EnvironmentRef, token: string): LivePrincipal => ({
  environment: { key: environment.key, id: environment.id, slug: environment.slug },
  scopes: null,
  expiresAt: null,
  proof: accessTokenProof(token),
});

/** Returns the principal for which a key or a signed token opens a connection. */
export async function livePrincipal(env: Bindings, token: string): Promise<LivePrincipal | LiveFailure> {
  const principal = await tokenHolder(env, token);
  if (!principal) {
    return {
      error: {
        status: 401,
        code: "invalid_api_key",
        message:
          "The key or token is invalid, expired or revoked. Use a secret key (tr_dev_…, tr_prod_…) or a public token of this server's environment.",
      },
    };
  }
  return livePrincipalOf(principal, token);
}

export const livePrincipalOf = (
  { environment, scopes, expiresAt, skipColumns }: TokenHolder,
  token: string,
): LivePrincipal => ({
  environment: { key: environment.key, id: environment.id, slug: environment.slug },
  scopes,
  expiresAt,
  ...(skipColumns ? { skipColumns: knownColumns(skipColumns) } : {}),
  proof: token.startsWith("tr_") ? keyProof(token) : "token",
});
