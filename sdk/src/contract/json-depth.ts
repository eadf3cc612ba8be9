/** The maximum nesting of metadata: deeper values cannot be copied between objects on every platform. */
export const MAX_JSON_DEPTH = 100;

/**
 * Whether objects and arrays are nested at most {@link MAX_JSON_DEPTH} deep. Uses no recursion, so any depth
 * can be checked.
 */
export function isShallow(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    const next: unknown[] = [];
    for (const item of level) {
      if (item === null || typeof item !== "object") continue;
      if (depth === MAX_JSON_DEPTH) return false;
      for (const child of Object.values(item)) next.push(child);
    }
    level = next;
  }
  return true;
}
