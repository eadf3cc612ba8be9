import type { ApiRequestOptions } from "../client/request-options.ts";
import { getRunMetadata } from "../client/runs-api.ts";
import type { MetadataOperation } from "../contract/metadata-operations.ts";
import type { MetadataTarget } from "./run-metadata.ts";
import { currentRun } from "./state.ts";

/**
 * Changes of metadata. Each returns the updater, so that calls can be chained. Outside of a task they do
 * nothing.
 */
export interface MetadataUpdater {
  /** `key` is a name, or a path like `$.user.name` or `$.items.0.done`. The value is stored as JSON. */
  set(key: string, value: unknown): MetadataUpdater;
  del(key: string): MetadataUpdater;
  /** Appends to an array. A value that is not an array becomes the first element of one. */
  append(key: string, value: unknown): MetadataUpdater;
  /** Removes all equal values from an array. */
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
    // A change that is being replayed was applied before the run was suspended.
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
 * Writes a source to the stream `key` of the run, of its parent or of the first run of the chain, and returns its chunks.
 * @deprecated use `streams.pipe`
 */
const streamTo =
  (target: "parent" | "root" | undefined) =>
  async <T>(
    key: string,
    source: AsyncIterable<T> | ReadableStream<T>,
    signal?: AbortSignal,
  ): Promise<AsyncIterable<T>> => {
    const { streams } = await import("../streams/streams.ts");
    return streams.pipe(key, source, { target, ...(signal ? { signal } : {}) }).stream;
  };

/**
 * The metadata of the current run. Changes are visible here at once and on the server within a second. The
 * rest is sent before the run completes.
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
  /**
   * Sends the changes that were not sent yet. @throws ApiError. Changes are kept for the next flush unless
   * the API refused them
   */
  flush: async (): Promise<void> => {
    await currentRun()?.metadata.flush();
  },
  /** Reads the metadata from the server, where others may have changed it. */
  refresh: async (options?: ApiRequestOptions): Promise<void> => {
    const run = currentRun();
    if (!run) return;
    await run.metadata.flush();
    run.metadata.replaceLocal((await getRunMetadata(run.ctx.run.id, options)).metadata);
  },
  stream: streamTo(undefined),
  /**
   * The chunks of the run's own stream `key`, as they come.
   * @deprecated use `streams.read`
   */
  fetchStream: async <T>(key: string, signal?: AbortSignal): Promise<AsyncIterable<T>> => {
    const run = currentRun();
    if (!run) throw new Error("metadata.fetchStream() can be used inside a run only: use runs.fetchStream()");
    const { streams } = await import("../streams/streams.ts");
    return streams.read<T>(run.ctx.run.id, key, signal ? { signal } : {});
  },
  /** Changes the metadata of the run that triggered this one, or its own if there is none. */
  parent: { ...updaterOf("parent"), stream: streamTo("parent") },
  /** Changes the metadata of the first run of the chain. */
  root: { ...updaterOf("root"), stream: streamTo("root") },
};
