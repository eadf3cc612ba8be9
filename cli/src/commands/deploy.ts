import type { Command } from "commander";
import { CliError } from "../errors.ts";
import { projectRefOf } from "../project/project-ref.ts";

interface DeployOptions {
  env: string;
  config?: string;
  projectRef?: string;
  skipPromotion?: boolean;
  dryRun?: boolean;
  apiUrl?: string;
  json?: boolean;
}

export function addDeployCommands(program: Command): void {
  program
    .command("deploy")
    .description("bundle a project, find its tasks, upload it and make it the current version")
    .argument("[dir]", "the project's folder", ".")
    .option("-e, --env <slug>", "environment: dev, staging, preview or prod", "prod")
    .option("-c, --config <file>", "configuration file, relative to the folder")
    .option("-p, --project-ref <ref>", "project, instead of the configuration's")
    .option("--skip-promotion", "create the version, but keep the current one for new runs")
    .option("--dry-run", "bundle the project and find its tasks, but upload nothing")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  $ acme deploy
  $ acme deploy ./jobs --env staging
  $ acme deploy --dry-run
  $ acme deploy --skip-promotion --json | jq -r .version`,
    )
    .action(deploy);

  program
    .command("promote")
    .description("make a deployed version the current one")
    .argument("<version>", "like 20261124.1")
    .argument("[dir]", "the project's folder", ".")
    .option("-e, --env <slug>", "environment", "prod")
    .option("-p, --project-ref <ref>", "project, instead of the configuration's")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  $ acme promote 20261124.1 --env prod")
    .action(promote);
}

async function checkEnvironment(slug: string): Promise<void> {
  const { ENVIRONMENT_SLUGS } = await import("@acme/sdk/contract/api");
  if ((ENVIRONMENT_SLUGS as readonly string[]).includes(slug)) return;
  throw new CliError(`There is no environment "${slug}": --env is one of ${ENVIRONMENT_SLUGS.join(", ")}.`);
}

async function promote(version: string, dir: string, options: DeployOptions): Promise<void> {
  const [{ projectAccess }, { projectApi }] = await Promise.all([
    import("../access.ts"),
    import("../api/project-api.ts"),
  ]);
  const ref = await projectRefOf(options.projectRef, dir);
  await checkEnvironment(options.env);
  const promoted = await projectApi(projectAccess({ apiUrl: options.apiUrl }), ref, options.env).promote(
    version,
  );
  if (options.json) console.log(JSON.stringify(promoted, null, 2));
  else {
    console.log(
      `Version ${promoted.version} is the current one of ${options.env} (${countOf(promoted.tasks.length)}).`,
    );
  }
}

async function deploy(dir: string, options: DeployOptions): Promise<void> {
  await checkEnvironment(options.env);
  const [{ projectAccess }, { projectApi }, { buildProject, deployProject }] = await Promise.all([
    import("../access.ts"),
    import("../api/project-api.ts"),
    import("../deploy.ts"),
  ]);
  // Missing credentials are reported before the work, not after it.
  const access = options.dryRun ? undefined : projectAccess({ apiUrl: options.apiUrl });
  const built = await buildProject(dir, { config: options.config });
  for (const warning of built.bundle.warnings) console.error(`warning: ${warning}`);
  if (built.output.trim()) console.error(built.output.trimEnd());
  const { tasks } = built.manifest;
  if (!options.json) for (const task of tasks) console.log(`  ${task.id}  ${task.filePath}`);
  const { contentHash } = built.bundle;
  const size = `${Math.ceil(built.bundle.code.byteLength / 1024)} KB, ${contentHash.slice(0, 12)}`;
  if (!access) {
    if (options.json) console.log(JSON.stringify({ contentHash, manifest: built.manifest }, null, 2));
    else console.log(`${countOf(tasks.length)} would be deployed (${size}); nothing was uploaded.`);
    return;
  }
  const ref = options.projectRef ?? process.env.ACME_PROJECT_REF ?? built.project.config.project;
  const made = await deployProject(projectApi(access, ref, options.env), built, !options.skipPromotion);
  if (options.json) {
    console.log(JSON.stringify(made, null, 2));
    return;
  }
  console.log(
    `Version ${made.version} of ${ref} deployed to ${options.env}: ${countOf(made.tasks.length)} (${size})${
      made.promoted
        ? ", now the current one."
        : `, not promoted. To use it: acme promote ${made.version} --env ${options.env}`
    }`,
  );
}

const countOf = (tasks: number): string => `${tasks} ${tasks === 1 ? "task" : "tasks"}`;
