/**
 * What the CLI's bundler puts into the entry module it generates, so that the indexer and the runtime know where each
 * task comes from. The entry module looks like this:
 *
 *     import { registerFile, registerConfig } from "@acme/sdk/bundle";
 *     import * as file0 from "./src/trigger/hello.ts";
 *     registerConfig({ retry: { maxAttempts: 3 } });
 *     registerFile("src/trigger/hello.ts", file0);
 *
 * A task that is not exported knows its file only if the bundler also puts {@link enterFileStatement} before the first
 * statement of each source file.
 */
import { type ProjectDefaults, state } from "./state.ts";

/** Tells which file a module's exports come from. `exports` is the module's namespace object. */
export function registerFile(filePath: string, exports: object): void {
  const names = new Map<unknown, string>();
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value === "object" && value !== null) names.set(value, name);
  }
  for (const task of state.declared) {
    const name = names.get(task.handle);
    if (name === undefined) continue;
    // A file that re-exports a task of another comes second: where it was found first, or said so itself, holds.
    task.filePath ??= filePath;
    if (task.filePath === filePath) task.exportName ??= name;
  }
}

/** Defaults of the project's configuration file for all of its tasks. */
export function registerConfig(config: ProjectDefaults): void {
  Object.assign(state.config, config);
}

/**
 * A statement (one line) that, put before all others of a source file, makes every task in it know its file: imports
 * are evaluated before a module's own statements, so the file whose body runs is always the last one set.
 */
export const enterFileStatement = (filePath: string): string =>
  `(globalThis[Symbol.for("acme.sdk.currentFile")] = ${JSON.stringify(filePath)});`;
