import type { HostDeployment } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { openVariables } from "../control/variables.ts";
import { openRepository } from "../storage/open.ts";
import type { DeploymentRecord } from "../storage/repository.ts";
import { openSql } from "../storage/sql-connection.ts";

/** The image is named by its digest, so that a moved tag can't change what runs. */
async function imageOf(env: Bindings, found: DeploymentRecord): Promise<HostDeployment["image"]> {
  const { environmentKey, imageDigest, imageRepository } = found;
  if (!imageDigest) return undefined;
  const environment = await openRepository(env).findEnvironmentByKey(environmentKey);
  return {
    reference: imageRepository ? `${imageRepository}@${imageDigest}` : imageDigest,
    projectRef: environment?.project.ref ?? "",
  };
}

/** Returns a deployment for a host, with the current variables of the environment. */
export async function hostDeployment(env: Bindings, found: DeploymentRecord): Promise<HostDeployment> {
  const variables = await openVariables(env, openSql(env), found.environmentKey);
  return {
    id: found.id,
    version: found.version,
    contentHash: found.contentHash,
    bundleBytes: found.bundleBytes,
    image: await imageOf(env, found),
    manifest: found.manifest,
    env: variables.env,
    secretNames: variables.secretNames,
  };
}
