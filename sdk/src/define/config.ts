import type { MachinePreset } from "../contract/machines.ts";
import type { RetryOptions } from "../contract/manifest.ts";
import type { RecordSettings } from "../run/state.ts";
import type { HookFunctions } from "./hook-types.ts";

/** What `acme.config.ts` (or `trigger.config.ts`) exports as default. */
export interface AcmeConfig {
  /** Reference of the project, `proj_…`. */
  project: string;
  /** Folders with task files. Default: every folder named `trigger`. */
  dirs?: string[];
  /** Globs of files in `dirs` that hold no tasks. Default: tests and specs. */
  ignorePatterns?: string[];
  runtime?: "node" | "node-22" | "node-24";
  tsconfig?: string;
  retries?: {
    /** False: in development a failed run is not retried. */
    enabledInDev?: boolean;
    /** Of tasks that say nothing themselves. */
    default?: RetryOptions;
  };
  machine?: MachinePreset;
  /** Seconds of run time, of tasks that say nothing themselves. */
  maxDuration?: number;
  /** `"10m"`, or seconds. */
  ttl?: string | number;
  /** A run that has to wait longer is suspended and holds no slot: `"10s"`, or milliseconds. Default 5 s. */
  suspendAfter?: string | number;
  /**
   * Clock, random numbers, UUIDs and `fetch` responses of a run are recorded, so that plain code gets the same when the run is
   * replayed. False: none of them. Default: all, at most 256 KB between two operations.
   */
  record?: boolean | RecordSettings;
  logLevel?: "none" | "error" | "warn" | "info" | "log" | "debug";
  /** False: what tasks write to the console is not written to the process's own output. Default true. */
  enableConsoleLogging?: boolean;
  build?: {
    /** Packages that stay out of the bundle. */
    external?: string[];
    autoDetectExternal?: boolean;
    keepNames?: boolean;
    minify?: boolean;
    conditions?: string[];
    jsx?: { factory?: string; fragment?: string; automatic?: boolean };
    extensions?: object[];
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
  // Settings of Trigger.dev's configuration that have no meaning here may stay in the file.
  [other: string]: unknown;
}
export type TriggerConfig = AcmeConfig;

/** Gives the configuration its type. */
export const defineConfig = (config: AcmeConfig): AcmeConfig => config;
