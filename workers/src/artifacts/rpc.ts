import type { EnvironmentRef } from "@acme/durable-objects/rpc";

/** One object an environment, named by its key. */
export interface ArtifactsRpc {
  /** A version was deployed or promoted: looks soon for old ones that nothing needs any more. Idempotent. */
  collectSoon(environment: EnvironmentRef): Promise<void>;
}
