import type { Command } from "commander";
import { projectAccess } from "../access.ts";
import { projectApi } from "../api/project-api.ts";

export function addWhoamiCommand(program: Command): void {
  program
    .command("whoami")
    .description("which server and project the access token is good for")
    .requiredOption("-p, --project-ref <ref>", "project", process.env.ACME_PROJECT_REF)
    .option("-e, --env <slug>", "environment", "prod")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .action(async (options: { projectRef: string; env: string; apiUrl?: string }) => {
      const access = projectAccess({ apiUrl: options.apiUrl });
      const deployments = await projectApi(access, options.projectRef, options.env).deployments();
      const current = deployments.find((deployment) => deployment.promoted);
      console.log(`Server       ${access.apiUrl}`);
      console.log(`Access token ${access.accessToken.slice(0, 11)}… (valid)`);
      console.log(
        `Project      ${options.projectRef}, ${options.env}: ${current ? `version ${current.version}` : "nothing deployed yet"}`,
      );
    });
}
