import type { EnvironmentRef } from "./refs.ts";

/** The container hosts. */
export const HOST_POOL = "default";

/**
 * The pool whose hosts execute an environment's runs: each development environment has one of its own, whose only host is
 * the developer's machine; all others share the container hosts.
 */
export const poolOf = ({ key, type }: Pick<EnvironmentRef, "key" | "type">): string =>
  type === "DEVELOPMENT" ? `dev:${key}` : HOST_POOL;
