import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type BuildContext, type BuildOptions, context, type Plugin } from "esbuild";
import { type Bundle, bundleOf, bundleOptions, entryModule } from "../bundle/bundle.ts";
import { problemsOf } from "../bundle/messages.ts";
import { BANNER } from "../bundle/options.ts";
import { CliError, ProblemsError } from "../errors.ts";
import { Extensions } from "../extensions/extensions.ts";
import { externalsPlugin } from "../extensions/externals-plugin.ts";
import type { Project } from "../project/load-config.ts";
import { findTaskFiles } from "../project/task-files.ts";

const ENTRY = "acme-entry";

/** Bundles a project incrementally: esbuild keeps what has not changed. Task files are searched each time. */
export class Bundler {
  readonly #context: BuildContext<BuildOptions & { write: false }>;
  readonly #entry: Entry;

  private constructor(entry: Entry, made: BuildContext<BuildOptions & { write: false }>) {
    this.#entry = entry;
    this.#context = made;
  }

  /**
   * `variablesHash` is part of the bundle, because a version is its code together with its variables. With
   * `isInspected`, source maps name the files on this machine.
   */
  static async open(project: Project, variablesHash: string, isInspected: boolean): Promise<Bundler> {
    const entry: Entry = { files: [], problem: null };
    const extensions = await Extensions.start(project, "dev");
    const { plugin } = externalsPlugin(
      extensions.externals,
      project.config.build?.autoDetectExternal ?? true,
    );
    const { after, before } = extensions.plugins;
    const options = bundleOptions(project, {
      plugins: { before: [plugin, ...before], after },
      conditions: extensions.conditions,
    });
    const made = await context({
      ...options,
      // A debugger finds the sources by this path; without a debugger, stack traces have paths relative to
      // the project.
      ...(isInspected && { sourceRoot: `${pathToFileURL(project.root)}/` }),
      entryPoints: [ENTRY],
      banner: { js: `${BANNER} /* ${variablesHash} */` },
      plugins: [entryPlugin(project, entry), ...options.plugins],
    });
    return new Bundler(entry, made);
  }

  /** @throws CliError that has the file, the line and the remedy of every problem */
  async build(): Promise<Bundle> {
    this.#entry.problem = null;
    const result = await this.#context.rebuild().catch((error: unknown) => {
      if (this.#entry.problem) throw this.#entry.problem;
      throw new ProblemsError("The project could not be bundled:", problemsOf(error));
    });
    return bundleOf(this.#entry.files, result);
  }

  async close(): Promise<void> {
    await this.#context.dispose();
  }
}

interface Entry {
  files: string[];
  /** Why there is no entry module. */
  problem: CliError | null;
}

/** Provides the entry module, which imports the current task files. */
const entryPlugin = ({ root, config, configFile }: Project, entry: Entry): Plugin => ({
  name: "acme-entry",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${ENTRY}$`) }, ({ kind }) =>
      kind === "entry-point" ? { path: join(root, `${ENTRY}.js`), namespace: ENTRY } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: ENTRY }, () => {
      try {
        entry.files = findTaskFiles(root, config);
      } catch (error) {
        if (error instanceof CliError) entry.problem = error;
        throw error;
      }
      return { contents: entryModule(configFile, entry.files), resolveDir: root, loader: "js" };
    });
  },
});
