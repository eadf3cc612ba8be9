import type { EnvironmentRef } from "@acme/durable-objects/rpc";

/**
 * The types of a project's own environments, by their slugs. Members' environments and branches have other
 * slugs.
 */
export const ENVIRONMENT_TYPES = {
  dev: "DEVELOPMENT",
  staging: "STAGING",
  preview: "PREVIEW",
  prod: "PRODUCTION",
} as const satisfies Record<string, EnvironmentRef["type"]>;

const NAMES: Record<EnvironmentRef["type"], string> = {
  DEVELOPMENT: "Development",
  STAGING: "Staging",
  PREVIEW: "Preview",
  PRODUCTION: "Production",
};

/** What a person calls an environment that they see: of development environments, everybody's and their own. */
export function environmentName({
  type,
  branch,
  userId,
}: {
  type: EnvironmentRef["type"];
  branch: string | null;
  userId: string | null;
}): string {
  return branch ?? (userId === null ? NAMES[type] : `Your ${NAMES[type].toLowerCase()}`);
}
