import { createHash } from "node:crypto";
import { join } from "node:path";
import { LIMITS } from "@acme/sdk/contract";
import { type BuildOptions, build, type Message, type OutputFile, type Plugin } from "esbuild";
import { CliError, formatProblem, ProblemsError } from "../errors.ts";
import type { Project } from "../project/load-config.ts";
import { findTaskFiles } from "../project/task-files.ts";
import { problemOf, problemsOf } from "./messages.ts";
import { BANNER } from "./options.ts";
import { sdkPlugin } from "./sdk-plugin.ts";

/** A project, bundled into one ES module. */
export interface Bundle {
  code: Uint8Array;
  /** SHA-256 of `code`, hexadecimal. */
  contentHash: string;
  files: string[];
  /** One message per warning. */
  warnings: string[];
}

/**
 * Returns the source of the entry module, which registers the configuration and each task file with the SDK.
 */
export function entryModule(configFile: string, files: string[]): string {
  return [
    'import { registerConfig, registerFile } from "@acme/sdk/bundle";',
    `import * as configuration from ${JSON.stringify(`./${configFile}`)};`,
    ...files.map((file, index) => `import * as file${index} from ${JSON.stringify(`./${file}`)};`),
    "const exported = { ...configuration };",
    "registerConfig(exported.default ?? exported.config);",
    ...files.map((file, index) => `registerFile(${JSON.stringify(file)}, file${index});`),
  ].join("\n");
}

/**
 * Bundles a project into one ES module with an inline source map.
 * @throws ProblemsError that has the file, the line and the remedy of every problem
 */
export async function bundleProject(
  project: Project,
  additions: BundleAdditions = NO_ADDITIONS,
): Promise<Bundle> {
  const { root, config, configFile } = project;
  const files = findTaskFiles(root, config);
  const result = await build({
    ...bundleOptions(project, additions),
    stdin: {
      contents: entryModule(configFile, files),
      resolveDir: root,
      sourcefile: "acme-entry.js",
      loader: "js",
    },
  }).catch((error: unknown) => {
    throw new ProblemsError(`${root} could not be bundled:`, problemsOf(error));
  });
  return bundleOf(files, result);
}

/** The additions of build extensions to a bundle. */
export interface BundleAdditions {
  /** Plugins before and after the CLI's own, which loads every file of the project. */
  plugins: { before: Plugin[]; after: Plugin[] };
  conditions: string[];
}

const NO_ADDITIONS: BundleAdditions = { plugins: { before: [], after: [] }, conditions: [] };

/** Returns the options of esbuild for a project's bundle, without its entry. */
export const bundleOptions = ({ root, config }: Project, { conditions, plugins }: BundleAdditions) =>
  ({
    absWorkingDir: root,
    // Paths in source maps are relative to this name, so stack traces show paths relative to the project.
    outfile: join(root, "bundle.mjs"),
    write: false,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "es2024",
    conditions: [...(config.build?.conditions ?? []), ...conditions, "acme", "trigger.dev", "module", "node"],
    sourcemap: "inline",
    sourcesContent: false,
    keepNames: config.build?.keepNames ?? true,
    minify: config.build?.minify ?? false,
    legalComments: "none",
    banner: { js: BANNER },
    tsconfig: config.tsconfig && join(root, config.tsconfig),
    ...jsxOptions(config.build?.jsx),
    plugins: [...plugins.before, sdkPlugin(root, "inert"), ...plugins.after],
    logLevel: "silent",
  }) satisfies BuildOptions;

/** @throws CliError when the bundle is too large */
export function bundleOf(
  files: string[],
  result: { outputFiles: OutputFile[]; warnings: Message[] },
): Bundle {
  const code = result.outputFiles[0]!.contents;
  if (code.byteLength > LIMITS.bundleBytes) {
    throw new CliError(
      `The bundle has ${code.byteLength} bytes, more than the ${LIMITS.bundleBytes} allowed. Import fewer packages, or only the parts that are used.`,
    );
  }
  return {
    code,
    contentHash: createHash("sha256").update(code).digest("hex"),
    files,
    warnings: result.warnings.filter(concernsProject).map((warning) => formatProblem(problemOf(warning))),
  };
}

const concernsProject = ({ location }: Message): boolean =>
  location !== null && !location.file.includes("node_modules/") && !location.file.startsWith("../");

const jsxOptions = (jsx: { factory?: string; fragment?: string; automatic?: boolean } | undefined) =>
  jsx && {
    jsx: jsx.automatic === false ? ("transform" as const) : ("automatic" as const),
    jsxFactory: jsx.factory,
    jsxFragment: jsx.fragment,
  };
