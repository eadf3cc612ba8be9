import type { QueueLimits } from "@acme/sdk/contract";
import type {
  QueueChange,
  QueueChanges,
  QueueDeclaration,
  QueueLimitName,
  QueueOverrides,
  QueueSettings,
  QueueStats,
} from "../queue/rpc.ts";

/** The maximum number of runs of a queue that have not started, unless the environment has its own limit. */
export const DEFAULT_SIZE_LIMIT = 1_000_000;

/** Settings that code declares, and changes of them through the API, which take precedence. */
export interface StoredSettings {
  declared: QueueDeclaration;
  overrides: QueueOverrides;
  paused: boolean;
  /** Counts the changes through the API. */
  revision: number;
  /** True: the queue has had more than one partition at some time. */
  wasSplit: boolean;
}

/** Effective settings. */
export function effectiveSettings({
  declared,
  overrides,
  paused,
}: Pick<StoredSettings, "declared" | "overrides" | "paused">): QueueSettings {
  const limit = <N extends QueueLimitName>(name: N): NonNullable<QueueLimits[N]> | null => {
    const override = overrides[name];
    return ((override ? override.value : declared[name]) ?? null) as NonNullable<QueueLimits[N]> | null;
  };
  return {
    concurrencyLimit: limit("concurrencyLimit"),
    totalConcurrencyLimit: limit("totalConcurrencyLimit"),
    rateLimit: limit("rateLimit"),
    rateLimitPerKey: limit("rateLimitPerKey"),
    partitions: limit("partitions"),
    sizeLimit: declared.sizeLimit ?? DEFAULT_SIZE_LIMIT,
    paused,
  };
}

/** Adds the facts about the effective settings that must be remembered. */
const remembering = (stored: StoredSettings): StoredSettings => ({
  ...stored,
  wasSplit: stored.wasSplit || (effectiveSettings(stored).partitions ?? 1) > 1,
});

/** Returns null when nothing changes. A declaration of an earlier promotion than the known one is outdated. */
export function declare(stored: StoredSettings, declaration: QueueDeclaration): StoredSettings | null {
  if ((declaration.promotion ?? 0) < (stored.declared.promotion ?? 0)) return null;
  const declared = normalized(declaration);
  if (JSON.stringify(declared) === JSON.stringify(normalized(stored.declared))) return null;
  return remembering({ ...stored, declared });
}

function normalized(declaration: QueueDeclaration): QueueDeclaration {
  const { concurrencyLimit, totalConcurrencyLimit, rateLimit, rateLimitPerKey, partitions } = declaration;
  const { sizeLimit, promotion } = declaration;
  return {
    concurrencyLimit: concurrencyLimit ?? null,
    totalConcurrencyLimit: totalConcurrencyLimit ?? null,
    rateLimit: rateLimit ?? null,
    rateLimitPerKey: rateLimitPerKey ?? null,
    partitions: partitions ?? null,
    sizeLimit: sizeLimit ?? null,
    promotion: promotion ?? 0,
  };
}

/** Applies a change through the API: it overrides deployments until it is reset. */
export function change(stored: StoredSettings, changed: QueueChange, now: number): StoredSettings {
  return remembering({ ...changedBy(stored, changed, now), revision: stored.revision + 1 });
}

function changedBy(stored: StoredSettings, changed: QueueChange, now: number): StoredSettings {
  switch (changed.type) {
    case "pause":
      return { ...stored, paused: changed.paused };
    case "override": {
      const added = Object.entries(changed.limits)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, { value, at: now }]);
      return { ...stored, overrides: { ...stored.overrides, ...Object.fromEntries(added) } };
    }
    case "reset": {
      const kept = Object.entries(stored.overrides).filter(
        ([name]) => !changed.limits.includes(name as QueueLimitName),
      );
      return { ...stored, overrides: Object.fromEntries(kept) };
    }
  }
}

/** The changes as the first partition keeps them and the environment passes them on to the others. */
export function changesOf({ revision, overrides, paused }: StoredSettings): QueueChanges | undefined {
  return revision === 0 ? undefined : { revision, overrides, paused };
}

/** Returns null when nothing changes. A smaller number of changes than the known one is outdated. */
export const adopt = (stored: StoredSettings, changes: QueueChanges | undefined): StoredSettings | null =>
  changes && changes.revision > stored.revision ? remembering({ ...stored, ...changes }) : null;

/** The settings of a queue that doesn't exist yet. */
export const initialSettings = (declaration: QueueDeclaration): StoredSettings =>
  remembering({
    declared: normalized(declaration),
    overrides: {},
    paused: false,
    revision: 0,
    wasSplit: false,
  });

/**
 * Returns the maximum number of runs of one partition that have not started. All partitions have the same
 * share.
 */
export const sizeShareOf = ({ sizeLimit, partitions }: QueueSettings): number =>
  Math.max(Math.min(sizeLimit, 1), Math.floor(sizeLimit / (partitions ?? 1)));

/** The stats of a queue that has no object yet. */
export function emptyStats(queue: string, declaration: QueueDeclaration): QueueStats {
  const stored = initialSettings(declaration);
  const { declared, overrides } = stored;
  return {
    queue,
    pending: 0,
    running: 0,
    notYetQueued: 0,
    settings: effectiveSettings(stored),
    declared,
    overrides,
  };
}
