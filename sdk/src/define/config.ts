import type { MachinePreset } from "../contract/machines.ts";
import type { RetryOptions } from "../contract/manifest.ts";
import type { RecordSettings } from "../run/state.ts";
import type { BuildExtension } from "./build-extension.ts";
import type { HookFunctions } from "./hook-types.ts";
import type { TelemetrySettings } from "./telemetry-settings.ts";

/** The default export of `acme.config.ts` or `trigger.config.ts`. */
export interface AcmeConfig {
  /** The project's reference, `proj_…`. */
  project: string;
  /** Folders with task files. Default: every folder named `trigger`. */
  dirs?: string[];
  /** Globs of files in `dirs` that contain no tasks. Default: tests and specs. */
  ignorePatterns?: string[];
  runtime?: "node" | "node-22" | "node-24";
  tsconfig?: string;
  retries?: {
    /** False: runs that fail in development are not retried. */
    enabledInDev?: boolean;
    /** Applies to tasks without settings of their own. */
    default?: RetryOptions;
  };
  machine?: MachinePreset;
  /** Seconds of run time. Applies to tasks without a limit of their own. */
  maxDuration?: number;
  /** How long a run may wait for its start before it expires: `"10m"`, or a number of seconds. */
  ttl?: string | number;
  /**
   * A run that waits for longer than this is suspended and holds no slot: `"10s"`, or milliseconds. Default:
   * 5 s.
   */
  suspendAfter?: string | number;
  /**
   * The clock, random numbers, UUIDs and `fetch` responses of a run are recorded, so that plain code gets the
   * same values when the run is replayed. False: nothing is recorded. Default: everything, up to 200 KB
   * between two operations.
   */
  record?: boolean | RecordSettings;
  /** OpenTelemetry instrumentations and exporters of the project. */
  telemetry?: TelemetrySettings;
  logLevel?: "none" | "error" | "warn" | "info" | "log" | "debug";
  /**
   * False: console output of tasks goes to the run's log, but not to the process's output. Default: true.
   */
  enableConsoleLogging?: boolean;
  build?: {
    /** Packages that are not bundled but installed in the deployment's image. */
    external?: string[];
    /**
     * False: packages with native code are not detected automatically, and have to be listed in `external`.
     * Default: true.
     */
    autoDetectExternal?: boolean;
    keepNames?: boolean;
    minify?: boolean;
    conditions?: string[];
    jsx?: { factory?: string; fragment?: string; automatic?: boolean };
    /** What the project needs besides its code: system packages, files, plugins of the bundler. */
    extensions?: (BuildExtension | { name: string })[];
  };
  /** @deprecated use `tasks.init()` */
  init?: HookFunctions["init"];
  /** @deprecated use `tasks.onStartAttempt()` */
  onStart?: HookFunctions["onStart"];
  /** @deprecated use `tasks.onSuccess()` */
  onSuccess?: HookFunctions["onSuccess"];
  /** @deprecated use `tasks.onFailure()` */
  onFailure?: HookFunctions["onFailure"];
  /** @deprecated use `tasks.catchError()` */
  handleError?: HookFunctions["catchError"];
  // Settings of Trigger.dev's configuration that have no meaning here are allowed and ignored.
  [other: string]: unknown;
}
export type TriggerConfig = AcmeConfig;

/** Returns its argument: gives the configuration its type. */
export const defineConfig = (config: AcmeConfig): AcmeConfig => config;
