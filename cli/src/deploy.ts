import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { WorkerManifest } from "@acme/sdk/contract";
import type { DeploymentBody } from "@acme/sdk/contract/api";
import { Indexer } from "@acme/sdk/runtime";
import { RefusalError } from "./api/call.ts";
import type { ProjectApi } from "./api/project-api.ts";
import { type Bundle, bundleProject } from "./bundle/bundle.ts";
import { CliError } from "./errors.ts";
import { Extensions } from "./extensions/extensions.ts";
import { externalsPlugin } from "./extensions/externals-plugin.ts";
import type { Layers, VariableGroup } from "./extensions/layers.ts";
import { type ContextFile, filesOf } from "./image/context.ts";
import { loadProject, type Project } from "./project/load-config.ts";

/** A project that was bundled and indexed: everything that needs no server. */
export interface BuiltProject {
  project: Project;
  bundle: Bundle;
  manifest: WorkerManifest;
  /** What the project's code printed while it was loaded. */
  output: string;
  /** What the project needs in addition to its bundle. Null: nothing, so only the bundle is deployed. */
  image: ImageNeeds | null;
  /** Variables that its build extensions set in the environment. */
  variables: VariableGroup[];
}

/** The contents of an image in addition to the bundle. */
export interface ImageNeeds {
  layers: Layers;
  /** npm packages: versions by name. */
  dependencies: Record<string, string>;
  /** True: one of them has to be compiled. */
  compiles: boolean;
  /** Files of its working directory. */
  files: ContextFile[];
}

export interface BuildSettings {
  config?: string;
  /** Slug of the target environment, for build extensions. */
  environment?: string;
  /** The branch of the preview environment. */
  branch?: string;
}

/** Variables that the project's code does not get while it is indexed. */
const SECRET = /^(ACME|TRIGGER)_(ACCESS_TOKEN|SECRET_KEY)$/;

/**
 * Loads the configuration, runs its build extensions, bundles the project, and finds its tasks by loading the bundle in a
 * separate process.
 * @throws CliError that has the file, the line and the remedy
 */
export async function buildProject(path: string, settings: BuildSettings = {}): Promise<BuiltProject> {
  const project = await loadProject(path, settings.config);
  // It starts while the project is bundled.
  const indexer = new Indexer({ env: withoutSecrets(process.env) });
  try {
    return await buildLoaded(project, settings, indexer);
  } finally {
    indexer.close();
  }
}

async function buildLoaded(
  project: Project,
  settings: BuildSettings,
  indexer: Indexer,
): Promise<BuiltProject> {
  const extensions = await Extensions.start(project, "deploy");
  const detect = project.config.build?.autoDetectExternal ?? true;
  const { found, plugin } = externalsPlugin(extensions.externals, detect);
  const { after, before } = extensions.plugins;
  const bundle = await bundleProject(project, {
    plugins: { before: [plugin, ...before], after },
    conditions: extensions.conditions,
  });
  const externals = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const folder = workFolder(project, externals.length > 0);
  try {
    const file = join(folder, "bundle.mjs");
    writeFileSync(file, bundle.code);
    const indexed = await indexProject(project, file, indexer);
    const outputPath = join(folder, "files");
    mkdirSync(outputPath);
    const layers = await extensions.complete({
      runtime: project.config.runtime ?? "node",
      environment: settings.environment ?? "prod",
      branch: settings.branch,
      contentHash: bundle.contentHash,
      outputPath,
      config: { project: project.config.project, dirs: project.config.dirs ?? [] },
      externals: externals.map(({ name, version }) => ({ name, version })),
      files: bundle.files.map((entry) => ({ entry, out: "bundle.mjs" })),
      deploy: { env: {} },
    });
    const dependencies = {
      ...Object.fromEntries(externals.map(({ name, version }) => [name, version])),
      ...layers.dependencies,
    };
    const image = {
      layers,
      dependencies,
      compiles: externals.some(({ isCompiled }) => isCompiled),
      files: filesOf(outputPath),
    };
    return { project, bundle, ...indexed, image: isEmpty(image) ? null : image, variables: layers.variables };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The bundle is written into the project, so that it finds the packages that are not part of it. */
function workFolder({ root }: Project, hasExternals: boolean): string {
  if (!hasExternals) return mkdtempSync(join(tmpdir(), "acme-index-"));
  const parent = join(root, "node_modules", ".acme");
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(join(parent, "index-"));
}

const isEmpty = ({ dependencies, files, layers }: ImageNeeds): boolean =>
  files.length === 0 &&
  Object.keys(dependencies).length === 0 &&
  [layers.packages, layers.instructions, layers.commands].every((list) => list.length === 0);

/**
 * Returns the variables without those that give access to the platform, which code does not need while it is
 * only loaded.
 */
export const withoutSecrets = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !SECRET.test(entry[0]),
    ),
  );

/**
 * Finds the tasks of a bundle by loading it in a separate process, `indexer`.
 * @throws CliError that has the file, the line and the remedy
 */
export async function indexProject(
  { root }: Project,
  file: string,
  indexer: Indexer,
): Promise<Pick<BuiltProject, "manifest" | "output">> {
  const indexed = await indexer.index(file);
  if ("manifest" in indexed) return { manifest: indexed.manifest, output: indexed.output };
  const { message, stackTrace } = indexed.problem;
  const frames = stackTrace && framesOfProject(stackTrace, dirname(file), root);
  throw new CliError([message, frames, indexed.output.trim()].filter(Boolean).join("\n"));
}

/**
 * Returns the stack without the frames of Node.js and the indexer. Paths in the bundle's folder become paths
 * of the project.
 */
const framesOfProject = (stack: string, folder: string, root: string): string =>
  stack
    .split("\n")
    .filter((line) => !/^\s+at .*(node:internal\/|\/runtime\/indexer\.)/.test(line))
    .join("\n")
    .replaceAll(folder, root);

/** Creates a version from a built project. Its bundle is uploaded only if the server does not have it yet. */
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
