import { randomUUID } from "node:crypto";
import type { DeploymentBody } from "@acme/sdk/contract/api";
import type { ProjectApi } from "../api/project-api.ts";
import type { BuiltProject } from "../deploy.ts";
import { baseImage } from "./base-image.ts";
import { BuildLog } from "./build-log.ts";
import { type ContextFile, hashOf } from "./context.ts";
import { dockerfile } from "./dockerfile.ts";
import { Engine } from "./engine.ts";

export interface ImageOptions {
  projectRef: string;
  /** The destination for images: a registry, or a folder of one. Undefined: they stay on the Engine. */
  registry?: string;
  baseImage?: string;
  /** Network of the build's commands. Default: the Engine's. */
  network?: string;
  promote: boolean;
  /** Receives each line of the build. */
  onLine(line: string): void;
  warn(message: string): void;
}

/** A deployment with its image. `reused`: nothing had to be built. */
export interface ImageDeployment {
  deployment: DeploymentBody;
  image: string;
  reused: boolean;
}

/**
 * Builds the image of a project, pushes it, and creates a version from it. The image's tag is the hash of its
 * inputs: an existing image is neither built nor pushed again. A failed build becomes a failed deployment
 * with its log.
 * @throws CliError
 */
export async function deployImage(
  api: ProjectApi,
  built: BuiltProject,
  image: NonNullable<BuiltProject["image"]>,
  options: ImageOptions,
): Promise<ImageDeployment> {
  const { onLine, projectRef, promote, registry, warn } = options;
  let log: BuildLog | undefined;
  const engine = new Engine((line) => {
    onLine(line);
    log?.add(line);
  });
  await engine.check();
  const base = await baseImage(engine, built.project, options.baseImage, warn);
  const files = contextOf(built, image, base.name, projectRef);
  const tag = hashOf([...files, { name: "base", content: Buffer.from(base.id), mode: 0 }]).slice(0, 24);
  const repository = `${registry?.replace(/\/+$/, "") ?? "acme"}/${projectRef}`;
  const name = `${repository}:${tag}`;
  const { contentHash } = built.bundle;
  await api.uploadBundle(contentHash, built.bundle.code);
  const begun = await api.initializeDeployment({
    contentHash,
    manifest: built.manifest,
    ...(registry ? { imageRepository: repository } : undefined),
  });
  const sender = randomUUID();
  log = new BuildLog((lines, number) => api.appendBuildLog(begun.id, { lines, batch: { sender, number } }));
  try {
    const pushed = registry ? await engine.pushedDigest(repository, tag) : null;
    let id = pushed === null ? await engine.imageId(name) : null;
    const reused = pushed !== null || id !== null;
    if (reused) log.add(`${name} exists already`);
    else {
      await engine.build(name, files, options.network);
      id = await engine.imageId(name);
    }
    const digest = pushed ?? (registry ? await engine.push(repository, tag) : id);
    if (digest === null) throw new Error(`the Engine does not have ${name} after it was built`);
    const deployment = await api.finalizeDeployment(begun.id, {
      imageDigest: digest,
      contentHash,
      skipPromotion: !promote,
    });
    return { deployment, image: registry ? `${repository}@${digest}` : name, reused };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    log.add(message);
    await api.failDeployment(begun.id, message).catch(() => {
      warn(`The server does not know yet that the build of version ${begun.version} failed.`);
    });
    throw error;
  } finally {
    const problem = await log.end();
    if (problem) warn(`Lines of the build's log are missing on the server: ${problem}`);
  }
}

/** Returns the files from which the image is built. */
function contextOf(
  { bundle, project }: BuiltProject,
  { compiles, dependencies, files, layers }: NonNullable<BuiltProject["image"]>,
  base: string,
  projectRef: string,
): ContextFile[] {
  const text = (name: string, content: string): ContextFile => ({
    name,
    content: Buffer.from(content),
    mode: 0o644,
  });
  const packageJson = { name: "deployment", private: true, type: "module", dependencies };
  const own = [
    text("Dockerfile", dockerfile({ base, projectRef, layers, dependencies, compiles })),
    // Files that the image does not need, and that would change its hash unnecessarily.
    text(".dockerignore", "Dockerfile\n.dockerignore\n"),
    text("package.json", `${JSON.stringify(packageJson, null, 2)}\n`),
    { name: "bundle.mjs", content: bundle.code, mode: 0o644 },
  ];
  const names = new Set(own.map(({ name }) => name));
  const taken = files.find(({ name }) => names.has(name));
  if (taken) {
    throw new Error(
      `A build extension of ${project.configFile} adds the file ${taken.name}, which the deployment has already`,
    );
  }
  return [...own, ...files];
}
