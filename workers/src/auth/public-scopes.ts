import type { Context } from "hono";
import type { App, Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { ownerOf, waitpointObjectOf } from "../objects.ts";
import type { Access } from "./access.ts";
import { covers, mentions } from "./scopes.ts";
import { digest, type PublicClaims } from "./tokens.ts";

type Rule = Extract<Access, { credential: "secretKey" }>;

/** The scopes that a request needs, as far as its path determines them. */
export interface Asked {
  rule: Rule;
  /** Parameters of the path. */
  params: Record<string, string>;
}

/** Returns the rule's scopes with the path's parameters filled in. */
export const scopesFor = ({ rule, params }: Asked): string[] =>
  (rule.scopes ?? []).map((scope) => scope.replace(/\{(\w+)\}/g, (_, name: string) => params[name] ?? ""));

/**
 * Lets a public token through if its scopes cover what its path requests. Where that depends on the run (its
 * task, tags or batch), the run's owner is called, but only for a token that has such a scope. Where it
 * depends on the body, the route decides with `requireScopes`. Throws a 403 that says what the token lacks.
 */
export async function requirePublicScopes(env: Bindings, claims: PublicClaims, asked: Asked): Promise<void> {
  const needed = scopesFor(asked);
  const { scopes } = claims;
  if (needed.some((scope) => covers(scopes, scope))) return;
  const { rule, params } = asked;
  if (rule.decides && mentions(scopes, ...rule.decides)) return;
  if (rule.ofRun && mentions(scopes, rule.ofRun, ["tasks", "tags", "batch"])) {
    const scopesOfRun = await neededForRun(env, claims.env, rule.ofRun, params.runId ?? "");
    if (scopesOfRun.some((scope) => covers(scopes, scope))) return;
  }
  throw notAllowed(scopes, needed);
}

async function neededForRun(
  env: Bindings,
  environmentKey: string,
  action: "read" | "write",
  runId: string,
): Promise<string[]> {
  const run = await ownerOf(env, environmentKey, runId).retrieveRun(environmentKey, runId);
  if (!run) return [];
  const ofTask = `${action}:tasks:${run.task}`;
  if (action === "write") return [ofTask];
  return [
    ofTask,
    ...run.tags.map((tag) => `read:tags:${tag}`),
    ...(run.batchId ? [`read:batch:${run.batchId}`] : []),
  ];
}

/**
 * For a route whose scopes depend on its body or query: requires a public token to cover all of these. Throws
 * a 403.
 */
export function requireScopes(c: Context<App>, needed: string[]): void {
  const { credential } = c.var;
  if (credential.type !== "public") return;
  const missing = needed.filter((scope) => !covers(credential.scopes, scope));
  if (missing.length > 0) throw notAllowed(credential.scopes, missing);
}

/** Returns whether a request's credential is no public token, or one that covers one of these scopes. */
export function hasScope(c: Context<App>, ...scopes: string[]): boolean {
  const { credential } = c.var;
  return credential.type !== "public" || scopes.some((scope) => covers(credential.scopes, scope));
}

/** Lets a one-time token send items to one batch. Throws a 422 if it has sent some to another. */
export async function useForBatch(c: Context<App>, batchId: string): Promise<void> {
  const credential = c.get("credential");
  if (credential.type !== "public" || !credential.once) return;
  const { tokenHash, expiresAt } = credential.once;
  const home = waitpointObjectOf(c.env, `items:${c.get("environment").key}:${tokenHash}`);
  if (!(await home.claimKey({ id: batchId, expiresAt })).claimed) throw tokenAlreadyUsed();
}

/**
 * Uses up a one-time token. The same request, repeated because its answer was lost, passes again. Throws a
 * 422 if another request has used the token.
 */
export async function useOnce(c: Context<App>, requestKey: string | undefined): Promise<void> {
  const credential = c.get("credential");
  if (credential.type !== "public" || !credential.once) return;
  const { tokenHash, expiresAt } = credential.once;
  const id = requestKey === undefined ? crypto.randomUUID() : digest(requestKey);
  const home = waitpointObjectOf(c.env, `once:${c.get("environment").key}:${tokenHash}`);
  const claim = await home.claimKey({ id, expiresAt });
  if (claim.claimed) return;
  throw tokenAlreadyUsed();
}

const tokenAlreadyUsed = (): Failure =>
  new Failure(
    422,
    "token_already_used",
    "Cannot trigger with a one-time use token as it has already been used. Create another public token. Nothing was created.",
  );

function notAllowed(has: readonly string[], needed: readonly string[]): Failure {
  const needs =
    needed.length === 0
      ? "A secret key (tr_dev_…, tr_prod_…) is required."
      : `It lacks ${needed.length === 1 ? "the scope" : "one of the scopes"} ${needed.join(", ")}.`;
  return new Failure(
    403,
    "not_allowed",
    `This public token does not allow the request: its scopes are ${has.join(", ") || "empty"}. ${needs} Nothing was changed.`,
  );
}

/** Returns the columns that a token issued to a public token's holder must not show either. */
export const realtimeOf = (c: Context<App>): PublicClaims["realtime"] =>
  c.var.credential.type === "public" ? c.var.credential.realtime : undefined;
