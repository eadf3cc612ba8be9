/**
 * Scopes of public tokens: `action:type[:id]`. Only the first two colons separate, so an id may contain colons
 * (`read:tags:user:1`). Without an id a scope covers the whole type. `*` as the action and `all` as the type cover all of them;
 * `admin` alone covers everything.
 */
export const SCOPE_ACTIONS = ["read", "write", "trigger", "batchTrigger", "*"] as const;
export const SCOPE_TYPES = [
  "all",
  "runs",
  "tasks",
  "tags",
  "batch",
  "waitpoints",
  "inputStreams",
  "sessions",
  "deployments",
  "queues",
  "query",
  "prompts",
  "webhooks",
  "errors",
] as const;

interface Scope {
  action: string;
  type: string;
  /** Undefined: all of the type. */
  id: string | undefined;
}

export function parseScope(text: string): Scope {
  const [action = "", type = "", ...rest] = text.split(":");
  return { action, type, id: rest.length === 0 ? undefined : rest.join(":") };
}

/** Returns whether the server knows this scope. */
export function isScope(text: string): boolean {
  if (text === "admin") return true;
  const { action, type, id } = parseScope(text);
  return (
    (SCOPE_ACTIONS as readonly string[]).includes(action) &&
    (SCOPE_TYPES as readonly string[]).includes(type) &&
    id !== ""
  );
}

/**
 * Returns whether one of a token's scopes covers what is needed; `needed` without an id is the whole type.
 */
export function covers(scopes: readonly string[], needed: string): boolean {
  const { action, type, id } = parseScope(needed);
  return scopes.some((text) => {
    if (text === "admin") return true;
    const scope = parseScope(text);
    return (
      (scope.action === action || scope.action === "*") &&
      (scope.type === type || scope.type === "all") &&
      (scope.id === undefined || scope.id === id)
    );
  });
}

/** Returns whether a token has a scope of this action for any id of this type. */
export const mentions = (scopes: readonly string[], action: string, types: readonly string[]): boolean =>
  scopes.some((text) => {
    const scope = parseScope(text);
    return (scope.action === action || scope.action === "*") && types.includes(scope.type);
  });
