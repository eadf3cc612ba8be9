import { mayAs } from "@acme/sdk/contract/roles";
import type { Scope } from "../api/access-tokens-api.ts";
import type { Role } from "../api/session.ts";

/** Scopes of access tokens as people read them, the narrowest first. */
export const SCOPES: readonly { scope: Scope; means: string; least: Role }[] = [
  { scope: "read", means: "look at runs, queues, schedules and deployments", least: "viewer" },
  { scope: "write", means: "trigger runs, change queues, schedules and variables", least: "developer" },
  { scope: "deploy", means: "upload and promote deployments, import variables", least: "developer" },
  { scope: "admin", means: "everything that you may: keys, members, projects", least: "admin" },
];

/** Returns the scopes that have an effect with a role. */
export const effectiveScopes = (scopes: readonly Scope[], role: Role): Scope[] =>
  SCOPES.filter(({ scope, least }) => scopes.includes(scope) && mayAs(role, least)).map(({ scope }) => scope);

/** How long a former key stays valid after its rotation. */
export const OVERLAPS: readonly { seconds: number; label: string }[] = [
  { seconds: 0, label: "Not at all: it is refused within 10 seconds" },
  { seconds: 3_600, label: "1 hour" },
  { seconds: 86_400, label: "1 day" },
  { seconds: 259_200, label: "3 days" },
  { seconds: 604_800, label: "7 days" },
];

/** Lifetimes of access tokens and keys; null: no end. */
export const LIFETIMES: readonly { days: number | null; label: string }[] = [
  { days: 7, label: "7 days" },
  { days: 30, label: "30 days" },
  { days: 90, label: "90 days" },
  { days: 365, label: "1 year" },
  { days: null, label: "No end" },
];

/** `ongoing`: valid without an end; `ending`: valid until then; `ended`: refused. */
export function stateOf(end: string | null | undefined, now: number): "ongoing" | "ending" | "ended" {
  if (!end) return "ongoing";
  return Date.parse(end) > now ? "ending" : "ended";
}

/** Formats a partly typed code like the API: `BCDF-GHJK`. */
export function tidyUserCode(text: string): string {
  const letters = text
    .toUpperCase()
    .replace(/[^A-Z]/g, "")
    .slice(0, 8);
  return letters.length > 4 ? `${letters.slice(0, 4)}-${letters.slice(4)}` : letters;
}
