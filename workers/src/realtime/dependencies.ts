import type {
  EnvironmentRef,
  LiveDependencies,
  LiveFailure,
  LivePrincipal,
  RunRow,
} from "@acme/durable-objects/rpc";
import { statusesForPublic } from "@acme/sdk/contract";
import type { LiveFilter } from "@acme/sdk/contract/live";
import { isValidKeyHash, type TokenHolder, tokenHolder } from "../auth/credentials.ts";
import { sha256 } from "../auth/tokens.ts";
import type { Bindings } from "../bindings.ts";
import type { Session } from "../people/session.ts";
import { isMemberBySession } from "../people/session-check.ts";
import { openRepository } from "../storage/open.ts";
import type { RunFilter } from "../storage/repository.ts";
import { summaryOf } from "../views/run-view.ts";

/** Pages that are read for a filter that the query side knows only in part. */
const MAX_PAGES = 10;

/** What the LiveObject takes from the Worker. */
export const liveDependencies: LiveDependencies<Bindings> = {
  async listRuns(env, environmentKey, filter, limit) {
    const repository = openRepository(env);
    const runs: RunRow[] = [];
    let after: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const listing = await repository.listRuns(environmentKey, runFilter(filter), { limit, after });
      runs.push(
        ...listing.runs.filter(({ tags }) => filter.allTags?.every((tag) => tags.includes(tag)) ?? true),
      );
      after = listing.next ?? undefined;
      if (after === undefined || runs.length >= limit) break;
    }
    return { runs: runs.slice(0, limit), more: after !== undefined || runs.length > limit };
  },
  countUnfinished: (env, environmentKey) => openRepository(env).countUnfinished(environmentKey),
  summaryOf,
  authenticate: livePrincipal,
  async isValid(env, { proof, environment }) {
    const [kind, id = "", userId = ""] = proof.split(" ");
    if (kind === "key") return isValidKeyHash(env, id);
    if (kind === "session") return isMemberBySession(env, id, userId, environment.id);
    return true;
  },
};

/** The principal of a person who is signed in. */
export const sessionPrincipal = (environment: EnvironmentRef, session: Session): LivePrincipal => ({
  environment: { key: environment.key, id: environment.id, slug: environment.slug },
  scopes: null,
  expiresAt: null,
  proof: `session ${session.id} ${session.user.id}`,
});

/** Who a key or token opens a connection for. */
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
  { environment, scopes, expiresAt }: TokenHolder,
  token: string,
): LivePrincipal => ({
  environment: { key: environment.key, id: environment.id, slug: environment.slug },
  scopes,
  expiresAt,
  proof: token.startsWith("tr_") ? `key ${sha256(token)}` : "token",
});

function runFilter(filter: LiveFilter): RunFilter {
  const { statuses, tags, allTags, tasks, versions, queues, machines, batch, schedule } = filter;
  return {
    statuses: statuses?.flatMap(statusesForPublic),
    tags: tags ?? allTags?.slice(0, 1),
    tasks,
    versions,
    queues,
    machines,
    batch,
    schedule,
    isTest: filter.isTest,
    rootRunId: filter.rootRunId,
    parentRunId: filter.parentRunId,
    from: filter.from,
  };
}
