import type { EnvironmentRef, EnvironmentSettings } from "@acme/durable-objects/rpc";
import type { EnvironmentResponse } from "@acme/sdk/contract/api";

/** Returns an environment as the API shows it. */
export const environmentView = (
  { id, slug, type }: EnvironmentRef,
  settings: EnvironmentSettings,
): EnvironmentResponse => ({ id, slug, type, ...settings });
