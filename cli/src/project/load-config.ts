import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { problemsOf } from "../bundle/messages.ts";
import { BANNER } from "../bundle/options.ts";
import { sdkPlugin } from "../bundle/sdk-plugin.ts";
import { CliError, ProblemsError } from "../errors.ts";
import { ProjectConfig } from "./config-schema.ts";

export interface Project {
  /** Absolute path of the project's folder. */
  root: string;
  /** Name of the configuration file. */
  configFile: string;
  config: ProjectConfig;
}

const NAMES = ["acme.config", "trigger.config"].flatMap((name) =>
  ["ts", "mts", "js", "mjs", "cts", "cjs"].map((extension) => `${name}.${extension}`),
);

/** Returns the name of the configuration file in a folder, if there is one. */
export const findConfig = (root: string): string | undefined =>
  NAMES.find((name) => existsSync(join(root, name)));

/**
 * Reads a project's configuration. The file is bundled and imported, so it can be TypeScript and import other
 * files.
 * @throws CliError that names the file, the problem and the remedy
 */
export async function loadProject(path: string, configPath?: string): Promise<Project> {
  const root = resolve(path);
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory())
    throw new CliError(`${root} is not a folder.`);
  const configFile = configPath ?? findConfig(root);
  if (!configFile || !existsSync(join(root, configFile))) {
    throw new CliError(
      `No ${configPath ?? "acme.config.ts or trigger.config.ts"} in ${root}. \`acme init\` adds one, or:\n\n` +
        `  import { defineConfig } from "@acme/sdk";\n  export default defineConfig({ project: "proj_…" });`,
    );
  }
  const value = await importConfig(root, configFile);
  const parsed = ProjectConfig.safeParse(value);
  if (parsed.success) return { root, configFile, config: parsed.data };
  throw new ProblemsError(
    `The configuration in ${root} is not valid:`,
    parsed.error.issues.map((issue) => ({
      file: configFile,
      message: [issue.path.join("."), issue.message].filter(Boolean).join(": "),
    })),
  );
}

async function importConfig(root: string, configFile: string): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), "acme-config-"));
  const outfile = join(folder, "config.mjs");
  try {
    await build({
      entryPoints: [configFile],
      absWorkingDir: root,
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "es2024",
      banner: { js: BANNER },
      plugins: [sdkPlugin(root, "resolved")],
      logLevel: "silent",
    }).catch((error: unknown) => {
      throw new ProblemsError(`The configuration in ${root} could not be read:`, problemsOf(error));
    });
    const module = (await import(pathToFileURL(outfile).href).catch((error: unknown) => {
      throw new CliError(`${join(root, configFile)} threw while it was loaded: ${error}`);
    })) as { default?: unknown; config?: unknown };
    const config = module.default ?? module.config;
    if (config !== undefined) return config;
    throw new CliError(
      `${join(root, configFile)} does not export a configuration: add \`export default defineConfig({ … })\`.`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
