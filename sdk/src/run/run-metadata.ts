import { ApiConnectionError, ApiError } from "../client/api-errors.ts";
import {
  applyMetadataOperation,
  collapseOperations,
  type MetadataOperation,
  sameJson,
} from "../contract/metadata-operations.ts";

/** Body of `PUT /api/v1/runs/:id/metadata`. */
export interface MetadataUpdate {
  operations?: MetadataOperation[];
  parentOperations?: MetadataOperation[];
  rootOperations?: MetadataOperation[];
}

export type MetadataTarget = "self" | "parent" | "root";
type Queued = Record<MetadataTarget, MetadataOperation[]>;

const FLUSH_MS = 1_000;
/** The API takes at most this many operations for each target. */
const MAX_OPERATIONS = 1_000;

export interface RunMetadataOptions {
  /** JSON text of the metadata that the run has. */
  initial: string | null | undefined;
  /** False: the run is its own parent and root. */
  hasParent: boolean;
  send: (update: MetadataUpdate) => Promise<{ metadata: Record<string, unknown> }>;
  /** Operations were dropped, or could not be applied. */
  warn: (message: string) => void;
}

/**
 * The metadata of the run of one attempt. Operations are applied to a local copy at once, and sent in
 * batches: a second after the first one that was not sent yet, at `flush()`, and at the attempt's end.
 */
export class RunMetadata {
  readonly #options: RunMetadataOptions;
  #store: Record<string, unknown> | undefined;
  #queued: Queued = { self: [], parent: [], root: [] };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing: Promise<void> | undefined;

  constructor(options: RunMetadataOptions) {
    this.#options = options;
  }

  current(): Record<string, unknown> {
    if (!this.#store) {
      const { initial } = this.#options;
      const parsed: unknown = initial ? JSON.parse(initial) : {};
      this.#store = typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : {};
    }
    return this.#store;
  }

  /**
   * Applies an operation to the local copy and queues it.
   * @throws TypeError if the value cannot be JSON (a BigInt, a circular structure)
   */
  apply(target: MetadataTarget, changed: MetadataOperation): void {
    const operation = asStored(changed);
    const isOwn = target === "self" || !this.#options.hasParent;
    // Another run's metadata is not known here, but an operation that is never valid also fails on empty
    // metadata.
    const next = applyMetadataOperation(isOwn ? this.current() : {}, operation);
    if (!next && (isOwn || operation.type !== "remove")) {
      this.#options.warn(`Metadata was not changed: ${describe(operation)} cannot be applied`);
      return;
    }
    if (isOwn) {
      if (!next || sameJson(next, this.#store)) return;
      this.#store = next;
    }
    this.#queued[isOwn ? "self" : target].push(operation);
    this.#timer ??= setTimeout(() => {
      this.flush().catch((error: unknown) => {
        // Operations that can be sent again are kept, and reported at the attempt's end if they still cannot
        // be.
        if (!canRetry(error)) this.#options.warn(notSaved(error));
      });
    }, FLUSH_MS);
  }

  /** Replaces the local copy by the server's metadata. */
  replaceLocal(metadata: Record<string, unknown>): void {
    this.#store = metadata;
  }

  get pending(): boolean {
    return countOf(this.#queued) > 0;
  }

  /**
   * Sends the operations that were not sent yet.
   * @throws what the API call throws. Operations that the API refuses are dropped; after any other error they
   *   are kept and sent with the next flush
   */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // One request at a time, or a later batch could overtake an earlier one.
    while (this.#flushing) await this.#flushing.catch(() => {});
    if (!this.pending) return;
    this.#flushing = this.#sendQueued();
    try {
      await this.#flushing;
    } finally {
      this.#flushing = undefined;
    }
  }

  async #sendQueued(): Promise<void> {
    let unsent: Queued = {
      self: collapseOperations(this.#queued.self),
      parent: collapseOperations(this.#queued.parent),
      root: collapseOperations(this.#queued.root),
    };
    this.#queued = { self: [], parent: [], root: [] };
    while (countOf(unsent) > 0) {
      const part = mapTargets(unsent, (operations) => operations.slice(0, MAX_OPERATIONS));
      const rest = mapTargets(unsent, (operations) => operations.slice(MAX_OPERATIONS));
      try {
        const { metadata } = await this.#options.send({
          operations: part.self,
          parentOperations: part.parent,
          rootOperations: part.root,
        });
        // The server has others' changes too; operations that it does not have yet stay visible on top.
        const local = [...rest.self, ...this.#queued.self];
        this.#store = local.reduce((at, operation) => applyMetadataOperation(at, operation) ?? at, metadata);
        unsent = rest;
      } catch (error) {
        const kept = canRetry(error) ? unsent : rest;
        const later = this.#queued;
        this.#queued = mapTargets(kept, (operations, target) => [...operations, ...later[target]]);
        throw error;
      }
    }
  }
}

/** The message for the run's log when `flush` threw. */
export const notSaved = (error: unknown): string =>
  `The run's metadata could not be saved: ${String(error)}${canRetry(error) ? "" : ". The refused changes were dropped"}`;

/** True if the same request may succeed later. */
function canRetry(error: unknown): boolean {
  if (!(error instanceof ApiError) || error instanceof ApiConnectionError || error.status === undefined)
    return true;
  return error.status >= 500 || error.status === 408 || error.status === 429;
}

const countOf = ({ self, parent, root }: Queued): number => self.length + parent.length + root.length;

const mapTargets = (
  queued: Queued,
  change: (operations: MetadataOperation[], target: MetadataTarget) => MetadataOperation[],
): Queued => ({
  self: change(queued.self, "self"),
  parent: change(queued.parent, "parent"),
  root: change(queued.root, "root"),
});

/** A copy of the operation as the server stores it: values as JSON, and the value `undefined` as none. */
function asStored(operation: MetadataOperation): MetadataOperation {
  if (operation.type === "set" && operation.value === undefined)
    return { type: "delete", key: operation.key };
  if (operation.type === "delete" || operation.type === "increment") return operation;
  try {
    return {
      ...operation,
      value: JSON.parse(JSON.stringify(operation.value) ?? "null"),
    } as MetadataOperation;
  } catch (error) {
    throw new TypeError(`${describe(operation)}: the value cannot be JSON: ${(error as Error).message}`);
  }
}

const describe = (operation: MetadataOperation): string =>
  operation.type === "update"
    ? "metadata.replace()"
    : `metadata.${operation.type}("${operation.key.slice(0, 100)}")`;
