/**
 * Functions that the CLI's bundler calls from the entry module it generates, so that the indexer and the
 * runtime know where each task comes from and what the project's configuration says. The entry module looks
 * like this:
 *
 *     import { registerConfig, registerFile } from "@acme/sdk/bundle";
 *     import * as file0 from "./src/trigger/hello.ts";
 *     registerConfig({ retries: { default: { maxAttempts: 3 } } });
 *     registerFile("src/trigger/hello.ts", file0);
 *
 * The file of a task that is not exported is known only if the bundler also puts {@link enterFileStatement}
 * before the first statement of each source file.
 */

import { state } from "../run/state.ts";
import type { AcmeConfig } from "./config.ts";
import { durationMs } from "./duration.ts";

/** Registers the file that a module's exports come from. `exports` is the module's namespace object. */
export function registerFile(filePath: string, exports: object): void {
  const names = new Map<unknown, string>();
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value === "object" && value !== null) names.set(value, name);
  }
  for (const task of state.declared) {
    const name = names.get(task.handle);
    if (name === undefined) continue;
    // The file where a task was found first, or that the task itself names, wins over a file that re-exports
    // it.
    task.filePath ??= filePath;
    if (task.filePath === filePath) task.exportName ??= name;
  }
}

/** Registers the defaults and hooks of the project's configuration file for all of its tasks. Called once. */
export function registerConfig(
  config: Pick<
    AcmeConfig,
    | "retries"
    | "machine"
    | "maxDuration"
    | "ttl"
    | "suspendAfter"
    | "record"
    | "logLevel"
    | "telemetry"
    | "enableConsoleLogging"
    | "init"
    | "onStart"
    | "onSuccess"
    | "onFailure"
    | "handleError"
  >,
): void {
  Object.assign(state.config, {
    retry: config.retries?.default,
    retryInDev: config.retries?.enabledInDev,
    machine: config.machine,
    maxDuration: config.maxDuration,
    ttlMs: config.ttl === undefined ? undefined : durationMs(config.ttl),
    suspendAfterMs: suspendAfterMs(config.suspendAfter),
    record:
      config.record === false ? { now: false, random: false, fetch: false } : recordSettings(config.record),
    logLevel: config.logLevel,
    telemetry: config.telemetry,
    consoleOutput: config.enableConsoleLogging,
  } satisfies typeof state.config);
  const { hooks } = state;
  if (config.init) hooks.init.unshift(config.init);
  if (config.onStart) hooks.onStart.unshift(config.onStart);
  if (config.onSuccess) hooks.onSuccess.unshift(config.onSuccess);
  if (config.onFailure) hooks.onFailure.unshift(config.onFailure);
  if (config.handleError) hooks.catchError.unshift(config.handleError);
}

function suspendAfterMs(value: string | number | undefined): number | undefined {
  const ms = typeof value === "string" ? durationMs(value) : value;
  if (ms === undefined || (Number.isInteger(ms) && ms >= 0)) return ms;
  throw new Error(
    `suspendAfter: ${value} is not a duration: write "10s" or "1m", or a whole number of milliseconds`,
  );
}

const recordSettings = (value: AcmeConfig["record"]) => (typeof value === "object" ? value : {});

/**
 * Returns a statement (one line) that records a source file as the current one, to be put before its other
 * statements. Imports are evaluated before a module's own statements, so the file recorded last is always the
 * one whose body runs.
 */
export const enterFileStatement = (filePath: string): string =>
  `(globalThis[Symbol.for("acme.sdk.currentFile")] = ${JSON.stringify(filePath)});`;
