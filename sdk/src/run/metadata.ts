import type { ApiRequestOptions } from "../client/request-options.ts";
import { getRunMetadata } from "../client/runs-api.ts";
import type { MetadataOperation } from "../contract/metadata-operations.ts";
import type { MetadataTarget } from "./run-metadata.ts";
import { currentRun } from "./state.ts";

/** Changes of metadata; each returns the updater, for chains. Outside of a task they do nothing. */
export interface MetadataUpdater {
  /** `key`: a name, or a path like `$.user.name`. */
  set(key: string, value: unknown): MetadataUpdater;
  del(key: string): MetadataUpdater;
  /** Adds to a list; what is no list becomes one. */
  append(key: string, value: unknown): MetadataUpdater;
  /** Removes equal values from a list. */
  remove(key: string, value: unknown): MetadataUpdater;
  /** @param value default 1 */
  increment(key: string, value?: number): MetadataUpdater;
  /** @param value default 1 */
  decrement(key: string, value?: number): MetadataUpdater;
  /** Replaces all metadata. */
  update(value: Record<string, unknown>): MetadataUpdater;
}

function updaterOf(target: MetadataTarget): MetadataUpdater {
  const apply = (operation: MetadataOperation): MetadataUpdater => {
    const run = currentRun();
    // What is replayed was applied before the run was suspended.
    if (!run?.replaying) run?.metadata.apply(target, operation);
    return updater;
  };
  const updater: MetadataUpdater = {
    set: (key, value) => apply({ type: "set", key, value }),
    del: (key) => apply({ type: "delete", key }),
    append: (key, value) => apply({ type: "append", key, value }),
    remove: (key, value) => apply({ type: "remove", key, value }),
    increment: (key, value = 1) => apply({ type: "increment", key, value }),
    decrement: (key, value = 1) => apply({ type: "increment", key, value: -value }),
    update: (value) => apply({ type: "update", value }),
  };
  return updater;
}

const self = updaterOf("self");
const replace = (value: Record<string, unknown>): void => {
  self.update(value);
};

/**
 * Metadata of the run that calls it: changes show at once here, and on the server within a second; what is left is sent
 * before the run completes.
 */
export const metadata = {
  /** Undefined outside of a task. */
  current: (): Record<string, unknown> | undefined => currentRun()?.metadata.current(),
  get: (key: string): unknown => currentRun()?.metadata.current()[key],
  set: self.set,
  del: self.del,
  append: self.append,
  remove: self.remove,
  increment: self.increment,
  decrement: self.decrement,
  replace,
  /** @deprecated use `replace` */
  save: replace,
  /** Sends what was not sent yet. @throws ApiError; what could not be sent is sent with the next flush */
  flush: async (): Promise<void> => {
    await currentRun()?.metadata.flush();
  },
  /** Reads the metadata from the server, which others may have changed. */
  refresh: async (options?: ApiRequestOptions): Promise<void> => {
    const run = currentRun();
    if (!run) return;
    await run.metadata.flush();
    run.metadata.replaceLocal((await getRunMetadata(run.ctx.run.id, options)).metadata);
  },
  /** Changes the metadata of the run that triggered this one; without such, its own. */
  parent: updaterOf("parent"),
  /** Changes the metadata of the first run of the chain. */
  root: updaterOf("root"),
};
