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

const FLUSH_MS = 1_000;

/**
 * The metadata of the run of one attempt: operations show locally at once, and are sent in batches: a second after the
 * first one that was not sent yet, at `flush()`, and at the attempt's end.
 */
export class RunMetadata {
  #store: Record<string, unknown> | undefined;
  readonly #initial: string | null | undefined;
  readonly #send: (update: MetadataUpdate) => Promise<{ metadata: Record<string, unknown> }>;
  readonly #hasParent: boolean;
  #queued: Record<MetadataTarget, MetadataOperation[]> = { self: [], parent: [], root: [] };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing: Promise<void> | undefined;

  /** `initial`: JSON text of the metadata the run has. `hasParent`: false: parent and root are the run itself. */
  constructor(
    initial: string | null | undefined,
    hasParent: boolean,
    send: (update: MetadataUpdate) => Promise<{ metadata: Record<string, unknown> }>,
  ) {
    this.#initial = initial;
    this.#hasParent = hasParent;
    this.#send = send;
  }

  current(): Record<string, unknown> {
    if (!this.#store) {
      const parsed: unknown = this.#initial ? JSON.parse(this.#initial) : {};
      this.#store = typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : {};
    }
    return this.#store;
  }

  apply(target: MetadataTarget, operation: MetadataOperation): void {
    if (target === "self" || !this.#hasParent) {
      const next = applyMetadataOperation(this.current(), operation);
      if (!next || sameJson(next, this.#store)) return;
      this.#store = next;
      this.#queued.self.push(operation);
    } else {
      this.#queued[target].push(operation);
    }
    this.#timer ??= setTimeout(() => {
      this.flush().catch(() => {});
    }, FLUSH_MS);
  }

  /** Replaces what is known locally by what the server has. */
  replaceLocal(metadata: Record<string, unknown>): void {
    this.#store = metadata;
  }

  get pending(): boolean {
    return this.#queued.self.length + this.#queued.parent.length + this.#queued.root.length > 0;
  }

  /**
   * Sends what was not sent yet.
   * @throws what the API call throws; the operations are kept and sent with the next flush
   */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // One request at a time, or a later batch could overtake an earlier one.
    while (this.#flushing) await this.#flushing.catch(() => {});
    if (!this.pending) return;
    this.#flushing = this.#flushQueued();
    try {
      await this.#flushing;
    } finally {
      this.#flushing = undefined;
    }
  }

  async #flushQueued(): Promise<void> {
    const sent = this.#queued;
    this.#queued = { self: [], parent: [], root: [] };
    try {
      const { metadata } = await this.#send({
        operations: collapseOperations(sent.self),
        parentOperations: collapseOperations(sent.parent),
        rootOperations: collapseOperations(sent.root),
      });
      // Operations made meanwhile stay visible on top of what the server answered.
      let store = metadata;
      for (const operation of this.#queued.self) store = applyMetadataOperation(store, operation) ?? store;
      this.#store = store;
    } catch (error) {
      this.#queued = {
        self: [...sent.self, ...this.#queued.self],
        parent: [...sent.parent, ...this.#queued.parent],
        root: [...sent.root, ...this.#queued.root],
      };
      throw error;
    }
  }
}
