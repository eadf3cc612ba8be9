import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BuildContext, BuildExtension, BuildLayer, BuildManifest, BuildTarget } from "@acme/sdk";
import type { Plugin } from "esbuild";
import { CliError } from "../errors.ts";
import type { Project } from "../project/load-config.ts";
import { type Layers, mergeLayers } from "./layers.ts";

type RegisteredPlugin = { plugin: Plugin; placement?: "first" | "last" };

/** A project's build extensions, for one build or, in development, for one reading of the configuration. */
export class Extensions {
  readonly #project: Project;
  readonly #extensions: readonly BuildExtension[];
  readonly #context: BuildContext;
  readonly #layers: BuildLayer[] = [];
  readonly #plugins: RegisteredPlugin[] = [];

  private constructor(project: Project, target: BuildTarget, warn: (message: string) => void) {
    const { root, config } = project;
    this.#project = project;
    this.#extensions = config.build?.extensions ?? [];
    this.#context = {
      target,
      config: { ...config, dirs: config.dirs ?? [], workingDir: root },
      workingDir: root,
      logger: loggerOf(warn),
      addLayer: (layer) => void this.#layers.push(layer),
      registerPlugin: (plugin, options) => {
        if (options?.target && options.target !== target) return;
        // The SDK does not depend on esbuild, so its type leaves out esbuild's.
        this.#plugins.push({ plugin: plugin as Plugin, placement: options?.placement });
      },
      resolvePath: async (path) => resolved(path, root),
    };
  }

  /** @throws CliError that names the extension */
  static async start(
    project: Project,
    target: BuildTarget,
    warn: (message: string) => void = (message) => console.error(`warning: ${message}`),
  ): Promise<Extensions> {
    const extensions = new Extensions(project, target, warn);
    await extensions.#each("onBuildStart", (extension) => extension.onBuildStart?.(extensions.#context));
    return extensions;
  }

  /**
   * Plugins that run before the CLI's own, which loads every file of the project, and those that run after
   * it.
   */
  get plugins(): { before: Plugin[]; after: Plugin[] } {
    const at = (placement?: string) =>
      this.#plugins.filter((each) => each.placement === placement).map(({ plugin }) => plugin);
    return { before: [...at("first"), ...at(undefined)], after: at("last") };
  }

  /** Packages that are not bundled. */
  get externals(): string[] {
    const { target } = this.#context;
    return [
      ...(this.#project.config.build?.external ?? []),
      ...this.#extensions.flatMap((extension) => extension.externalsForTarget?.(target) ?? []),
    ];
  }

  get conditions(): string[] {
    return this.#layers.flatMap(({ conditions }) => conditions ?? []);
  }

  /**
   * Calls the extensions after the bundle is made. Each sees the additions of the previous ones. Returns all
   * additions.
   * @throws CliError that names the extension
   */
  async complete(facts: Omit<BuildManifest, "target" | "build" | "image">): Promise<Layers> {
    await this.#each("onBuildComplete", (extension) => {
      const { buildVariables: env, commands, instructions, packages: pkgs } = mergeLayers(this.#layers);
      const { target } = this.#context;
      return extension.onBuildComplete?.(this.#context, {
        ...facts,
        target,
        build: { env, commands },
        image: { pkgs, instructions },
      });
    });
    return mergeLayers(this.#layers);
  }

  async #each(
    step: "onBuildStart" | "onBuildComplete",
    call: (extension: BuildExtension) => Promise<void> | void,
  ): Promise<void> {
    for (const extension of this.#extensions) {
      try {
        await call(extension);
      } catch (error) {
        throw new CliError(
          `The build extension "${extension.name}" failed (${step}): ${error instanceof Error ? error.message : error}`,
        );
      }
    }
  }
}

function resolved(path: string, root: string): string | undefined {
  try {
    return createRequire(pathToFileURL(join(root, "package.json"))).resolve(path);
  } catch {
    return undefined;
  }
}

const loggerOf = (warn: (message: string) => void): BuildContext["logger"] => ({
  debug() {},
  log: (...args) => console.error(...args),
  warn: (...args) => warn(args.map(String).join(" ")),
  progress: (message) => console.error(message),
  spinner: () => ({ message() {}, stop: (message) => console.error(message) }),
});
