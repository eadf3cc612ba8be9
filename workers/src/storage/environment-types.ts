import type { EnvironmentRef } from "@acme/durable-objects/rpc";

/** The types of a project's own environments, by their slugs. A member's and a branch's have slugs of their own. */
export const ENVIRONMENT_TYPES = {
  dev: "DEVELOPMENT",
  staging: "STAGING",
  preview: "PREVIEW",
  prod: "PRODUCTION",
} as const satisfies Record<string, EnvironmentRef["type"]>;
