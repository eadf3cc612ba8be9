import { ENVIRONMENT_SLUGS } from "@acme/sdk/contract/api";
import type { Command } from "commander";
import { projectAccess } from "../access.ts";
import { projectApi } from "../api/project-api.ts";
import { buildProject, deployProject } from "../deploy.ts";
import { CliError } from "../errors.ts";
import { loadProject } from "../project/load-config.ts";

interface DeployOptions {
  env: string;
  config?: string;
  projectRef?: string;
  skipPromotion?: boolean;
  dryRun?: boolean;
  apiUrl?: string;
}

function checkEnvironment(slug: string): string {
  if ((ENVIRONMENT_SLUGS as readonly string[]).includes(slug)) return slug;
  throw new CliError(`There is no environment "${slug}": --env is one of ${ENVIRONMENT_SLUGS.join(", ")}.`);
}

export function addDeployCommands(program: Command): void {
  program
    .command("deploy")
    .description("bundle a project, find its tasks, upload it and make it the current version")
    .argument("[dir]", "the project's folder", ".")
    .option("-e, --env <slug>", "environment: prod, staging or preview", "prod")
    .option("-c, --config <file>", "configuration file, relative to the folder")
    .option("-p, --project-ref <ref>", "project, instead of the configuration's")
    .option("--skip-promotion", "make the version, but let new runs go on using the current one")
    .option("--dry-run", "bundle and find the tasks, upload nothing")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .action(deploy);

  program
    .command("promote")
    .description("make a deployed version the current one")
    .argument("<version>", "like 20261124.1")
    .argument("[dir]", "the project's folder", ".")
    .option("-e, --env <slug>", "environment", "prod")
    .option("-p, --project-ref <ref>", "project, instead of the configuration's")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .action(async (version: string, dir: string, options: DeployOptions) => {
      const ref =
        options.projectRef ?? process.env.ACME_PROJECT_REF ?? (await loadProject(dir)).config.project;
      const api = projectApi(projectAccess({ apiUrl: options.apiUrl }), ref, checkEnvironment(options.env));
      const promoted = await api.promote(version);
      console.log(
        `Version ${promoted.version} is the current one of ${options.env} (${promoted.tasks.length} tasks).`,
      );
    });
}

async function deploy(dir: string, options: DeployOptions): Promise<void> {
  checkEnvironment(options.env);
  // Missing credentials are reported before the work, not after it.
  const access = options.dryRun ? undefined : projectAccess({ apiUrl: options.apiUrl });
  const built = await buildProject(dir, { config: options.config });
  for (const warning of built.bundle.warnings) console.error(`warning: ${warning}`);
  if (built.output.trim()) console.error(built.output.trimEnd());
  for (const task of built.manifest.tasks) console.log(`  ${task.id}  ${task.filePath}`);
  const size = `${Math.ceil(built.bundle.code.byteLength / 1024)} KB, ${built.bundle.contentHash.slice(0, 12)}`;
  if (!access) {
    console.log(`${built.manifest.tasks.length} tasks would be deployed (${size}); nothing was uploaded.`);
    return;
  }
  const ref = options.projectRef ?? process.env.ACME_PROJECT_REF ?? built.project.config.project;
  const made = await deployProject(projectApi(access, ref, options.env), built, !options.skipPromotion);
  console.log(
    `Version ${made.version} of ${ref} deployed to ${options.env}: ${made.tasks.length} tasks (${size})${
      made.promoted
        ? ", now the current one."
        : `, not promoted. To use it: acme promote ${made.version} --env ${options.env}`
    }`,
  );
}
