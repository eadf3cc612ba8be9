import type { QueueLimits } from "@acme/sdk/contract";
import type {
  QueueChange,
  QueueDeclaration,
  QueueLimitName,
  QueueOverrides,
  QueueSettings,
  QueueStats,
} from "../rpc.ts";
import type { Meta } from "../sql.ts";

/** Most runs that a queue holds that have not started, unless the environment says otherwise. */
export const DEFAULT_SIZE_LIMIT = 1_000_000;

/** What was declared in code, what was changed through the API, and what stands: the latter wins over the former. */
export interface StoredSettings {
  declared: QueueDeclaration;
  overrides: QueueOverrides;
  paused: boolean;
}

export function loadSettings(meta: Meta): StoredSettings {
  return {
    declared: meta.get<QueueDeclaration>("declared") ?? {},
    overrides: meta.get<QueueOverrides>("overrides") ?? {},
    paused: meta.get<boolean>("paused") ?? false,
  };
}

export function saveSettings(meta: Meta, { declared, overrides, paused }: StoredSettings): void {
  meta.set("declared", declared);
  meta.set("overrides", overrides);
  meta.set("paused", paused);
}

/** What stands. */
export function effectiveSettings({ declared, overrides, paused }: StoredSettings): QueueSettings {
  const limit = <N extends QueueLimitName>(name: N): NonNullable<QueueLimits[N]> | null => {
    const override = overrides[name];
    return ((override ? override.value : declared[name]) ?? null) as NonNullable<QueueLimits[N]> | null;
  };
  return {
    concurrencyLimit: limit("concurrencyLimit"),
    totalConcurrencyLimit: limit("totalConcurrencyLimit"),
    rateLimit: limit("rateLimit"),
    rateLimitPerKey: limit("rateLimitPerKey"),
    sizeLimit: declared.sizeLimit ?? DEFAULT_SIZE_LIMIT,
    paused,
  };
}

/** Null: nothing changes. A declaration of an earlier promotion than the one known comes from someone who is behind. */
export function declare(stored: StoredSettings, declaration: QueueDeclaration): StoredSettings | null {
  if ((declaration.promotion ?? 0) < (stored.declared.promotion ?? 0)) return null;
  const declared = normalized(declaration);
  if (JSON.stringify(declared) === JSON.stringify(normalized(stored.declared))) return null;
  return { ...stored, declared };
}

function normalized(declaration: QueueDeclaration): QueueDeclaration {
  const { concurrencyLimit, totalConcurrencyLimit, rateLimit, rateLimitPerKey, sizeLimit, promotion } =
    declaration;
  return {
    concurrencyLimit: concurrencyLimit ?? null,
    totalConcurrencyLimit: totalConcurrencyLimit ?? null,
    rateLimit: rateLimit ?? null,
    rateLimitPerKey: rateLimitPerKey ?? null,
    sizeLimit: sizeLimit ?? null,
    promotion: promotion ?? 0,
  };
}

/** Through the API: holds whatever is deployed, until it is reset. */
export function change(stored: StoredSettings, changed: QueueChange, now: number): StoredSettings {
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

/** Of a queue that doesn't exist yet. */
export const initialSettings = (declaration: QueueDeclaration): StoredSettings => ({
  declared: normalized(declaration),
  overrides: {},
  paused: false,
});

/** Of a queue that has no object yet. */
export function emptyStats(queue: string, declaration: QueueDeclaration): QueueStats {
  const stored = initialSettings(declaration);
  const { declared, overrides } = stored;
  return {
    queue,
    pending: 0,
    running: 0,
    later: 0,
    settings: effectiveSettings(stored),
    declared,
    overrides,
  };
}
