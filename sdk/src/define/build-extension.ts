/**
 * Build extensions describe what a project needs besides its code. The interface is that of Trigger.dev, so
 * the extensions of `@trigger.dev/build` work as they are.
 */
export type BuildTarget = "dev" | "deploy";

/** A plugin of esbuild, which this package does not depend on. */
export interface BundlerPlugin {
  name: string;
  setup: (build: never) => void | Promise<void>;
}

/** Something that an extension adds to a deployment. */
export interface BuildLayer {
  id: string;
  /** Shell commands that are run in the image when its packages are installed, in order. */
  commands?: string[];
  image?: {
    /** Debian packages. */
    pkgs?: string[];
    /** Lines of the Dockerfile, before packages are installed. */
    instructions?: string[];
  };
  /** Variables for the commands and the installation. */
  build?: { env?: Record<string, string | undefined> };
  /** Environment variables that the deployment sets. */
  deploy?: {
    env?: Record<string, string | undefined>;
    /** Variables of the parent environment, if this is a branch. */
    parentEnv?: Record<string, string | undefined>;
    secretEnv?: Record<string, string | undefined>;
    secretParentEnv?: Record<string, string | undefined>;
    /** Whether existing variables are overwritten. */
    override?: boolean;
  };
  /** npm packages to install in the image, by name. */
  dependencies?: Record<string, string>;
  /** Conditions with which the bundler resolves package exports. */
  conditions?: string[];
}

export interface BuildLogger {
  debug(...args: unknown[]): void;
  log(...args: unknown[]): void;
  warn(...args: unknown[]): void;
  progress(message: string): void;
  spinner(message: string): { message(message: string): void; stop(message: string, code?: number): void };
}

export interface BuildContext {
  target: BuildTarget;
  /** The project's configuration. */
  config: { project: string; dirs?: string[]; workingDir: string; [setting: string]: unknown };
  /** The project's folder. */
  workingDir: string;
  logger: BuildLogger;
  addLayer(layer: BuildLayer): void;
  registerPlugin(
    plugin: BundlerPlugin,
    options?: { target?: BuildTarget | "unmanaged"; placement?: "first" | "last" },
  ): void;
  /** Path of a module as the project would import it; undefined where it can't be resolved. */
  resolvePath(path: string): Promise<string | undefined>;
}

/** What is known about a build when the bundle is made. */
export interface BuildManifest {
  target: BuildTarget;
  runtime: string;
  /** Slug of the environment. */
  environment: string;
  branch?: string;
  contentHash: string;
  /** A folder whose files become part of the image: its working directory. */
  outputPath: string;
  config: { project: string; dirs: string[] };
  externals: { name: string; version: string }[];
  files: { entry: string; out: string }[];
  build: { env?: Record<string, string>; commands?: string[] };
  deploy: { env?: Record<string, string> };
  image?: { pkgs?: string[]; instructions?: string[] };
}

export interface BuildExtension {
  name: string;
  /** Packages that are not bundled but installed in the image. */
  externalsForTarget?(target: BuildTarget): string[] | undefined;
  onBuildStart?(context: BuildContext): Promise<void> | void;
  onBuildComplete?(context: BuildContext, manifest: BuildManifest): Promise<void> | void;
}
