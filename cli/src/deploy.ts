import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { WorkerManifest } from "@acme/sdk/contract";
import type { DeploymentBody } from "@acme/sdk/contract/api";
import { indexBundle } from "@acme/sdk/runtime";
import { RefusalError } from "./api/call.ts";
import type { ProjectApi } from "./api/project-api.ts";
import { type Bundle, bundleProject } from "./bundle/bundle.ts";
import { CliError } from "./errors.ts";
import { loadProject, type Project } from "./project/load-config.ts";

/** A project that was bundled and indexed: everything that needs no server. */
export interface BuiltProject {
  project: Project;
  bundle: Bundle;
  manifest: WorkerManifest;
  /** What the project's code printed while it was loaded. */
  output: string;
}

/** Variables that the project's code does not get while it is indexed. */
const SECRET = /^(ACME|TRIGGER)_(ACCESS_TOKEN|SECRET_KEY)$/;

/**
 * Loads the configuration, bundles the project, and finds its tasks by loading the bundle in a separate
 * process.
 * @throws CliError that has the file, the line and the remedy
 */
export async function buildProject(path: string, options: { config?: string } = {}): Promise<BuiltProject> {
  const project = await loadProject(path, options.config);
  const bundle = await bundleProject(project);
  const folder = mkdtempSync(join(tmpdir(), "acme-index-"));
  try {
    const file = join(folder, "bundle.mjs");
    writeFileSync(file, bundle.code);
    return { project, bundle, ...(await indexProject(project, file, withoutSecrets(process.env))) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The variables without those that give access to the platform: code that is only loaded does not need them. */
export const withoutSecrets = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !SECRET.test(entry[0]),
    ),
  );

/**
 * Finds the tasks of a bundle by loading it in a separate process.
 * @throws CliError that has the file, the line and the remedy
 */
export async function indexProject(
  { root }: Project,
  file: string,
  env: Record<string, string>,
): Promise<Pick<BuiltProject, "manifest" | "output">> {
  const indexed = await indexBundle({ bundle: file, env });
  if ("manifest" in indexed) return { manifest: indexed.manifest, output: indexed.output };
  const { message, stackTrace } = indexed.problem;
  const frames = stackTrace && framesOfProject(stackTrace, dirname(file), root);
  throw new CliError([message, frames, indexed.output.trim()].filter(Boolean).join("\n"));
}

/** The stack without the frames of Node.js and the indexer. Paths in the bundle's folder become those of the project. */
const framesOfProject = (stack: string, folder: string, root: string): string =>
  stack
    .split("\n")
    .filter((line) => !/^\s+at .*(node:internal\/|\/runtime\/indexer\.)/.test(line))
    .join("\n")
    .replaceAll(folder, root);

/** Creates a version from a built project. Its bundle is uploaded only where the server does not have it yet. */
export async function deployProject(
  api: ProjectApi,
  built: BuiltProject,
  promote: boolean,
): Promise<DeploymentBody> {
  const { code, contentHash } = built.bundle;
  const body = { contentHash, manifest: built.manifest, promote };
  try {
    return await api.createDeployment(body);
  } catch (error) {
    if (!(error instanceof RefusalError) || error.code !== "bundle_not_found") throw error;
  }
  await api.uploadBundle(contentHash, code);
  return api.createDeployment(body);
}
