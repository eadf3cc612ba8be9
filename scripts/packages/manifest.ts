import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const Workspace = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string().optional(),
  keywords: z.array(z.string()).default([]),
  dependencies: z.record(z.string(), z.string()).default({}),
  peerDependencies: z.record(z.string(), z.string()).optional(),
  peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean() })).optional(),
});

const Root = z.object({ license: z.string(), repository: z.unknown().optional() });

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

export const readWorkspace = (folder: string) => Workspace.parse(readJson(join(folder, "package.json")));

/** What differs between a workspace and the package that is published from it. */
export interface Published {
  /** Names of the workspace's dependencies that stay dependencies; the others are part of the package's files. */
  dependencies: Record<string, string>;
  engines: { node: string };
  imports?: Record<string, unknown>;
  exports: Record<string, unknown>;
  bin?: Record<string, string>;
  files: string[];
  sideEffects?: boolean | string[];
}

/** Writes the package.json, the README, the license and the changelog of a package that is published. */
export function writePackageFiles(root: string, workspace: string, out: string, published: Published): void {
  const source = join(root, workspace);
  const { name, version, description, keywords, peerDependencies, peerDependenciesMeta } =
    readWorkspace(source);
  const { license, repository } = Root.parse(readJson(join(root, "package.json")));
  const manifest = {
    name,
    version,
    description,
    keywords,
    license,
    repository: repositoryOf(repository, workspace),
    type: "module",
    ...published,
    peerDependencies,
    peerDependenciesMeta,
    publishConfig: { access: "public", provenance: true },
  };
  writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  copyFileSync(join(root, "LICENSE"), join(out, "LICENSE"));
  copyFileSync(join(source, "README.md"), join(out, "README.md"));
  const changelog = join(source, "CHANGELOG.md");
  if (existsSync(changelog)) copyFileSync(changelog, join(out, "CHANGELOG.md"));
}

/** npm checks a package's provenance against its repository, which in CI is the one that builds it. */
function repositoryOf(stated: unknown, directory: string): unknown {
  const { GITHUB_REPOSITORY } = process.env;
  if (!GITHUB_REPOSITORY) return stated;
  return { type: "git", url: `git+https://github.com/${GITHUB_REPOSITORY}.git`, directory };
}
