import { defaultQueueName, type NamedLimitManifest } from "@acme/sdk/contract";
import type { QueueDeclaration } from "../queue/rpc.ts";
import { declarationOf, type IndexedManifest, indexed } from "../routing/declaration.ts";
import { queueKeyOf } from "../routing/keys.ts";
import { partitionsOf } from "../routing/partitions.ts";
import type { EnvironmentCore } from "./core.ts";
import type { CurrentDeployment, KnownQueue } from "./rpc.ts";

const NO_LIMITS: ReadonlyMap<string, NamedLimitManifest> = new Map();

/** The current deployment, as it is kept in memory, and what it declares about queues and limits. */
export class CurrentManifest {
  readonly #core: () => EnvironmentCore;
  /** Undefined: to be read from storage. */
  #deployment: CurrentDeployment | null | undefined;
  /** The index of the current deployment's manifest. */
  #manifest: { of: CurrentDeployment; indexed: IndexedManifest } | null = null;

  constructor(core: () => EnvironmentCore) {
    this.#core = core;
  }

  /** Drops the copies in memory, because the stored deployment has changed. */
  forget(): void {
    this.#deployment = undefined;
  }

  declared(queue: string): QueueDeclaration {
    const current = this.deployment();
    return current ? declarationOf(current, this.indexed(current), queue) : {};
  }

  declaredLimits(): ReadonlyMap<string, NamedLimitManifest> {
    const current = this.deployment();
    return current ? this.indexed(current).limits : NO_LIMITS;
  }

  indexed(current: CurrentDeployment): IndexedManifest {
    if (this.#manifest?.of !== current) this.#manifest = { of: current, indexed: indexed(current.manifest) };
    return this.#manifest.indexed;
  }

  deployment(): CurrentDeployment | null {
    if (this.#deployment === undefined) this.#deployment = this.#core().currentDeployment;
    return this.#deployment;
  }

  /** Returns the names in alphabetical order. */
  queueNames(): string[] {
    return [
      ...new Set([
        ...this.#core()
          .registry.allQueues()
          .map((known) => known.queue),
        ...this.#declaredNames(),
      ]),
    ].sort();
  }

  #declaredNames(): string[] {
    const manifest = this.deployment()?.manifest;
    return [
      ...(manifest?.queues ?? []).map((queue) => queue.name),
      ...(manifest?.tasks ?? []).map((task) => task.queue?.name ?? defaultQueueName(task.id)),
    ];
  }

  /** Returns the keys of partitions that have reported or that may have runs without having reported yet, in their order. */
  queueKeys(environmentKey: string, after: string, limit: number): string[] {
    const declared = this.#declaredNames().flatMap((name) =>
      this.knownQueue(name).partitions.map((partition) => queueKeyOf(environmentKey, name, partition)),
    );
    const known = this.#core().registry.keysAfter(after, limit);
    const keys = new Set([...known, ...declared.filter((key) => key > after)]);
    return [...keys].sort().slice(0, limit);
  }

  /**
   * Returns a queue with its partitions, including partitions that have not reported yet but may have runs.
   */
  knownQueue(queue: string): KnownQueue {
    const current = this.deployment();
    const count = current ? partitionsOf(current, this.indexed(current), queue) : 1;
    const used = Array.from({ length: count }, (_, partition) => partition);
    const partitions = new Set([...used, ...this.#core().registry.partitionsOf(queue)]);
    return { queue, partitions: [...partitions].sort((a, b) => a - b) };
  }
}
