import type { Command } from "commander";
import { projectRefOf } from "../project/project-ref.ts";

interface WhoamiOptions {
  projectRef?: string;
  env: string;
  apiUrl?: string;
  json?: boolean;
}

export function addWhoamiCommand(program: Command): void {
  program
    .command("whoami")
    .description("show the server and the project that the access token is valid for")
    .option("-p, --project-ref <ref>", "project, instead of the one of the configuration here")
    .option("-e, --env <slug>", "environment", "prod")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ acme whoami --project-ref proj_default")
    .action(whoami);
}

async function whoami(options: WhoamiOptions): Promise<void> {
  const [{ projectAccess }, { projectApi }, { facts }] = await Promise.all([
    import("../access.ts"),
    import("../api/project-api.ts"),
    import("../terminal/table.ts"),
  ]);
  const access = projectAccess({ apiUrl: options.apiUrl });
  const { env } = options;
  const projectRef = await projectRefOf(options.projectRef, ".");
  const deployments = await projectApi(access, projectRef, env).deployments();
  const version = deployments.find((deployment) => deployment.promoted)?.version ?? null;
  if (options.json) {
    console.log(JSON.stringify({ apiUrl: access.apiUrl, projectRef, environment: env, version }, null, 2));
    return;
  }
  console.log(
    facts([
      ["Server", access.apiUrl],
      ["Access token", `${access.accessToken.slice(0, 11)}… (valid)`],
      ["Project", projectRef],
      ["Environment", `${env}: ${version === null ? "nothing deployed yet" : `version ${version}`}`],
    ]).join("\n"),
  );
}
