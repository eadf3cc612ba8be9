/**
 * Operations on a run's metadata. The SDK applies them to the task's own copy, the queue object to the stored
 * one: both call the functions of this file, because a task whose copy differs from the stored one loses data
 * at the next flush.
 */

/** One change of a run's metadata, as the API takes it. */
export type MetadataOperation =
  | { type: "set"; key: string; value: unknown }
  | { type: "delete"; key: string }
  | { type: "append"; key: string; value: unknown }
  | { type: "remove"; key: string; value: unknown }
  | { type: "increment"; key: string; value: number }
  | { type: "update"; value: Record<string, unknown> };

type Json = Record<string, unknown>;
/** The metadata key that lists the run's streams, where published clients read them. */
export const STREAMS_KEY = "$$streams";
const UNSAFE = new Set(["__proto__", "prototype", "constructor"]);
/**
 * The API's limit for `key`, and the limit for the nesting of a path: JSON that is much deeper cannot be
 * parsed safely.
 */
const MAX_KEY = 512;
const MAX_PATH = 64;
const INDEX = /^(0|[1-9]\d{0,8})$/;

/**
 * `"a"` is the key a; `"$.a.b"` is a path, in which numbers name elements of arrays. Returns null if the key
 * is not valid.
 */
function pathOf(key: string): string[] | null {
  if (key === "" || key.length > MAX_KEY) return null;
  const parts = key.startsWith("$.") ? key.slice(2).split(".") : [key];
  return parts.length > MAX_PATH || parts.some((part) => part === "" || UNSAFE.has(part)) ? null : parts;
}

/** Returns true if the JSON of both values is the same, apart from the order of keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => key in b && sameJson((a as Json)[key], (b as Json)[key]))
  );
}

/**
 * Applies one operation. `metadata` is not changed; what the operation does not touch is shared with the
 * result.
 *
 * Objects on a path that do not exist yet are created; values on it that are neither objects nor arrays are
 * replaced. In an array, a path can name an element or, as the last part of the path, the place after the
 * last element. `delete` of an element moves the later ones up. `append` to a value that is not an array
 * creates an array of both.
 * @returns the new metadata; null if the operation cannot be applied: `remove` from a value that is not an
 *   array, an increment that is not a finite number, a key that is unsafe or too long, a path through an array that
 *   names no element
 */
export function applyMetadataOperation(metadata: Json, operation: MetadataOperation): Json | null {
  switch (operation.type) {
    case "update":
      // The list of streams belongs to the platform: the run's code cannot change it.
      return STREAMS_KEY in metadata
        ? { [STREAMS_KEY]: metadata[STREAMS_KEY], ...operation.value }
        : operation.value;
    case "set":
      return changed(metadata, operation.key, () => ({ value: operation.value }));
    case "delete":
      return changed(metadata, operation.key, () => "delete");
    case "append":
      return changed(metadata, operation.key, (old) => ({
        value: [...(old === undefined ? [] : Array.isArray(old) ? old : [old]), operation.value],
      }));
    case "remove":
      return changed(metadata, operation.key, (old) =>
        Array.isArray(old) ? { value: old.filter((item) => !sameJson(item, operation.value)) } : null,
      );
    case "increment":
      if (!Number.isFinite(operation.value)) return null;
      return changed(metadata, operation.key, (old) => ({
        value: (typeof old === "number" ? old : 0) + operation.value,
      }));
  }
}

/** Turns a value into another one, or deletes it. Null: the operation cannot be applied. */
type Change = (old: unknown) => { value: unknown } | "delete" | null;

function changed(metadata: Json, key: string, change: Change): Json | null {
  const path = pathOf(key);
  return path && (changedAt(metadata, path, 0, change) as Json | null);
}

function changedAt(at: unknown, path: string[], depth: number, change: Change): Json | unknown[] | null {
  const part = path[depth] as string;
  const isLast = depth === path.length - 1;
  if (Array.isArray(at)) {
    const index = INDEX.test(part) ? Number(part) : -1;
    if (index < 0 || index > (isLast ? at.length : at.length - 1)) return null;
    const next = isLast ? change(at[index]) : nested(at[index], path, depth, change);
    if (next === null) return null;
    return next === "delete" ? at.toSpliced(index, 1) : at.toSpliced(index, 1, next.value);
  }
  const from: Json = typeof at === "object" && at !== null ? (at as Json) : {};
  const old = Object.hasOwn(from, part) ? from[part] : undefined;
  const next = isLast ? change(old) : nested(old, path, depth, change);
  if (next === null) return null;
  if (next !== "delete") return { ...from, [part]: next.value };
  const { [part]: _, ...rest } = from;
  return rest;
}

function nested(old: unknown, path: string[], depth: number, change: Change): { value: unknown } | null {
  const value = changedAt(old, path, depth + 1, change);
  return value && { value };
}

/**
 * Returns fewer operations of the same effect: sums neighboring increments of a key, keeps the last of
 * neighboring sets.
 */
export function collapseOperations(operations: readonly MetadataOperation[]): MetadataOperation[] {
  const out: MetadataOperation[] = [];
  for (const operation of operations) {
    const last = out[out.length - 1];
    const collapsed = last && collapsedPair(last, operation);
    if (collapsed) out[out.length - 1] = collapsed;
    else out.push(operation);
  }
  return out;
}

function collapsedPair(first: MetadataOperation, second: MetadataOperation): MetadataOperation | null {
  if (first.type === "update" || second.type === "update" || first.key !== second.key) return null;
  if (first.type === "increment" && second.type === "increment")
    return { ...first, value: first.value + second.value };
  // A second `delete` along a path can name the next element of an array.
  const isIdempotent = second.type === "set" || (second.type === "delete" && !second.key.startsWith("$."));
  return isIdempotent && first.type === second.type ? second : null;
}
