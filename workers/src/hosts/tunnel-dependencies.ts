import type { TunnelDependencies } from "@acme/durable-objects/rpc";
import { isValidProof } from "../auth/proof.ts";
import type { Bindings } from "../bindings.ts";
import { openRepository } from "../storage/open.ts";
import { dequeueResponse } from "./dequeue-response.ts";
import { hostDeployment } from "./host-deployment.ts";
import { applyReport } from "./report.ts";

/** The functions of the Worker that tunnels of development environments use. */
export const tunnelDependencies: TunnelDependencies<Bindings> = {
  dequeueResponse,
  applyReport,
  async deployment(env, environmentKey, deploymentId) {
    const found = await openRepository(env).findDeployment(deploymentId);
    return found?.environmentKey === environmentKey ? hostDeployment(env, found) : null;
  },
  isValid: (env, { proof, environmentKey, environmentId }) =>
    isValidProof(env, proof, { key: environmentKey, id: environmentId }, "createTunnelTicket"),
};
