import type { DeploymentBody } from "@acme/sdk/contract/api";
import type { Command } from "commander";
import type { ProjectApi } from "../api/project-api.ts";
import type { BuiltProject, ImageNeeds } from "../deploy.ts";
import { CliError } from "../errors.ts";
import type { VariableGroup } from "../extensions/layers.ts";
import { projectRefOf } from "../project/project-ref.ts";

interface DeployOptions {
  env: string;
  branch?: string;
  config?: string;
  projectRef?: string;
  skipPromotion?: boolean;
  dryRun?: boolean;
  push?: string;
  baseImage?: string;
  network?: string;
  apiUrl?: string;
  json?: boolean;
}

export function addDeployCommands(program: Command): void {
  program
    .command("deploy")
    .description("bundle a project, find its tasks, upload it and make it the current version")
    .argument("[dir]", "the project's folder", ".")
    .option("-e, --env <slug>", "environment: dev, staging, preview or prod", "prod")
    .option("-b, --branch <name>", "with --env preview: a branch of it, which is created if it is missing")
    .option("-c, --config <file>", "configuration file, relative to the folder")
    .option("-p, --project-ref <ref>", "project, instead of the configuration's")
    .option("--skip-promotion", "create the version, but keep the current one for new runs")
    .option(
      "--push <registry>",
      "push the deployment's image to this registry, like registry.example.com/acme (or ACME_REGISTRY)",
    )
    .option(
      "--base-image <image>",
      "build the image on this one: Debian with Node.js and npm (or ACME_BASE_IMAGE)",
    )
    .option("--network <mode>", "network for building the image, like host")
    .option("--dry-run", "bundle the project and find its tasks, but upload nothing")
    .option("-a, --api-url <url>", "server, instead of ACME_API_URL")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  $ acme deploy
  $ acme deploy ./jobs --env staging
  $ acme deploy --env preview --branch feat/search
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
  if (options.branch && options.env !== "preview")
    throw new CliError(`Only the preview environment has branches to deploy to: add --env preview.`);
  const [{ projectAccess }, { projectApi }, { buildProject, deployProject }] = await Promise.all([
    import("../access.ts"),
    import("../api/project-api.ts"),
    import("../deploy.ts"),
  ]);
  // Missing credentials are reported before the work, not after it.
  const access = options.dryRun ? undefined : projectAccess({ apiUrl: options.apiUrl });
  const { branch, config, env: environment } = options;
  const built = await buildProject(dir, { config, environment, branch });
  for (const warning of built.bundle.warnings) console.error(`warning: ${warning}`);
  if (built.output.trim()) console.error(built.output.trimEnd());
  const { tasks } = built.manifest;
  if (!options.json) for (const task of tasks) console.log(`  ${task.id}  ${task.filePath}`);
  const { contentHash } = built.bundle;
  const size = `${Math.ceil(built.bundle.code.byteLength / 1024)} KB, ${contentHash.slice(0, 12)}`;
  if (!access) {
    if (options.json)
      console.log(
        JSON.stringify({ contentHash, manifest: built.manifest, hasImage: built.image !== null }, null, 2),
      );
    else
      console.log(
        `${countOf(tasks.length)} would be deployed (${size}${built.image ? `, with an image: ${needsOf(built.image)}` : ""}); nothing was uploaded.`,
      );
    return;
  }
  const ref = options.projectRef ?? process.env.ACME_PROJECT_REF ?? built.project.config.project;
  const slug = await slugOf(access, ref, options);
  const api = projectApi(access, ref, slug);
  await setVariables(access, ref, slug, built.variables);
  const { image, made } = await create(api, built, ref, options, deployProject);
  if (options.json) {
    console.log(JSON.stringify(made, null, 2));
    return;
  }
  if (image) console.log(image);
  console.log(
    `Version ${made.version} of ${ref} deployed to ${options.branch ? `branch ${options.branch} of preview` : options.env}: ${countOf(made.tasks.length)} (${size})${
      made.promoted
        ? ", now the current one."
        : `, not promoted. To use it: ${options.branch ? `ACME_PREVIEW_BRANCH=${options.branch} ` : ""}acme promote ${made.version} --env ${options.env}`
    }`,
  );
}

/**
 * Returns the environment to deploy to, which is created here if it is missing. A branch is an environment with its own slug.
 */
async function slugOf(
  { apiUrl, accessToken }: { apiUrl: string; accessToken: string },
  ref: string,
  { branch, env }: DeployOptions,
): Promise<string> {
  if (env !== "staging" && env !== "preview") return env;
  const { branchesApi } = await import("../api/branches-api.ts");
  const api = branchesApi({ apiUrl, token: accessToken }, ref);
  return (await (branch ? api.create(branch, "preview") : api.ensure(env))).slug;
}

type Deploy = typeof import("../deploy.ts").deployProject;

/** Deploys the bundle, with an image if the project needs one. `image` says what was done about the image. */
async function create(
  api: ProjectApi,
  built: BuiltProject,
  projectRef: string,
  { baseImage, json, network, push, skipPromotion }: DeployOptions,
  deployProject: Deploy,
): Promise<{ made: DeploymentBody; image?: string }> {
  const promote = !skipPromotion;
  if (!built.image) return { made: await deployProject(api, built, promote) };
  const { deployImage } = await import("../image/deploy-image.ts");
  const { deployment, image, reused } = await deployImage(api, built, built.image, {
    projectRef,
    registry: push ?? process.env.ACME_REGISTRY,
    baseImage: baseImage ?? process.env.ACME_BASE_IMAGE,
    network,
    promote,
    onLine: (line) => json || console.error(`  │ ${line}`),
    warn: (message) => console.error(`warning: ${message}`),
  });
  return {
    made: deployment,
    image: `Image ${image} ${reused ? "(unchanged)" : "built"}: ${needsOf(built.image)}`,
  };
}

/** Returns in a few words why an image is needed. */
function needsOf({ dependencies, files, layers }: ImageNeeds): string {
  const listed = (names: string[], what: string): string =>
    names.length === 0 ? "" : `${what} ${names.slice(0, 5).join(", ")}${names.length > 5 ? " …" : ""}`;
  return [
    listed(layers.packages, "Debian packages"),
    listed(Object.keys(dependencies), "npm packages"),
    files.length > 0 ? `${files.length} ${files.length === 1 ? "file" : "files"}` : "",
    layers.instructions.length + layers.commands.length > 0 ? "commands of build extensions" : "",
  ]
    .filter(Boolean)
    .join("; ");
}

/** Sets the variables that build extensions provided. */
async function setVariables(
  access: { apiUrl: string; accessToken: string },
  projectRef: string,
  environment: string,
  groups: VariableGroup[],
): Promise<void> {
  if (groups.length === 0) return;
  const { variablesApi } = await import("../api/variables-api.ts");
  for (const { isSecret, ofParent, override, values } of groups) {
    // Only branches have a parent.
    if (ofParent && !environment.startsWith("preview")) continue;
    const target = ofParent ? "preview" : environment;
    const changed = await variablesApi(access, projectRef, target).set(values, { override, isSecret });
    if (changed.length > 0) console.error(`Variables set in ${target}: ${changed.join(", ")}`);
  }
}

const countOf = (tasks: number): string => `${tasks} ${tasks === 1 ? "task" : "tasks"}`;
