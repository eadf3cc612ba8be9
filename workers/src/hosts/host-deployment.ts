import type { HostDeployment } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { openVariables } from "../control/variables.ts";
import type { DeploymentRecord } from "../storage/repository.ts";
import { openSql } from "../storage/sql-connection.ts";

/** Returns a deployment as a host needs it, with the environment's variables as they are now. */
export async function hostDeployment(env: Bindings, found: DeploymentRecord): Promise<HostDeployment> {
  const variables = await openVariables(env, openSql(env), found.environmentKey);
  return {
    id: found.id,
    version: found.version,
    contentHash: found.contentHash,
    bundleBytes: found.bundleBytes,
    manifest: found.manifest,
    env: variables.env,
    secretNames: variables.secretNames,
  };
}
