import { configure, runs, tasks } from "@acme/sdk";
import { type LocalAccess, platform } from "@acme/server";
import { projectApi } from "./api/project-api.ts";
import { buildProject, deployProject } from "./deploy.ts";
import { CliError } from "./errors.ts";

const TASK = "hello-world";
const PAYLOAD = { name: "World" };
const RESULT_MS = 180_000;

/**
 * Deploys the example unless it is deployed already, triggers a run of it, prints the result, and returns the run's id.
 * @throws CliError that says why, if the run does not end with the expected result
 */
export async function runExample(server: LocalAccess, signal: AbortSignal): Promise<string> {
  const version = await deployExample(server);
  configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
  const { id } = await tasks.trigger(TASK, PAYLOAD, { version });
  console.log(`Triggered ${TASK} with ${JSON.stringify(PAYLOAD)}: ${id}`);
  const run = await runs
    .poll(id, { pollIntervalMs: 50 }, { signal: AbortSignal.any([signal, AbortSignal.timeout(RESULT_MS)]) })
    .catch(async (error: unknown) => {
      if (signal.aborted) throw error;
      const { status } = await runs.retrieve(id);
      throw new CliError(
        `run ${id} had no result after ${RESULT_MS / 1000} s; its status is ${status}. See the host's output above.`,
      );
    });
  if (!run.isSuccess)
    throw new CliError(`run ${id} ended as ${run.status}: ${run.error?.message ?? "no error was reported"}`);
  const output = JSON.stringify(run.output);
  const expected = JSON.stringify({ message: `Hello, ${PAYLOAD.name}!` });
  if (output !== expected) throw new CliError(`run ${id} returned ${output} instead of ${expected}`);
  console.log(`Result: ${output}

  Dashboard   ${server.dashboardUrl}
  API         ${server.apiUrl}
  Project     ${server.projectRef}

Next steps:
  curl -X POST ${server.apiUrl}/api/v1/tasks/${TASK}/trigger \\
    -H "Authorization: Bearer ${server.secretKey}" -H "Content-Type: application/json" -d '{"payload":{"name":"you"}}'
  npx acme trigger ${TASK} '{"name":"you"}' --wait
  npx acme deploy DIR --env prod`);
  return id;
}

/**
 * Returns the version with the current content of the example. A new one is promoted only if nothing is
 * deployed yet, or if the current version is an older one of the example.
 */
async function deployExample(server: LocalAccess): Promise<string> {
  const api = projectApi(server, server.projectRef, "prod");
  const [built, deployed] = await Promise.all([buildProject(platform.example), api.deployments()]);
  const same = deployed.find((deployment) => deployment.contentHash === built.bundle.contentHash);
  if (same) return same.version;
  const current = deployed.find((deployment) => deployment.promoted);
  const made = await deployProject(api, built, !current || current.tasks.includes(TASK));
  console.log(`Deployed the example ${TASK}: version ${made.version}, ${made.tasks.length} tasks`);
  return made.version;
}
