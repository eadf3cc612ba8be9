/** One change of a run's metadata, as the API takes it. */
export type MetadataOperation =
  | { type: "set"; key: string; value: unknown }
  | { type: "delete"; key: string }
  | { type: "append"; key: string; value: unknown }
  | { type: "remove"; key: string; value: unknown }
  | { type: "increment"; key: string; value: number }
  | { type: "update"; value: Record<string, unknown> };

type Json = Record<string, unknown>;
const UNSAFE = new Set(["__proto__", "prototype", "constructor"]);

/** `"a"` is the key a; `"$.a.b"` is a path. Null where it would reach into prototypes. */
function pathOf(key: string): string[] | null {
  const parts = key.startsWith("$.") ? key.slice(2).split(".") : [key];
  return parts.some((part) => part === "" || UNSAFE.has(part)) ? null : parts;
}

function read(root: Json, path: string[]): unknown {
  let at: unknown = root;
  for (const part of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Json)[part];
  }
  return at;
}

function write(root: Json, path: string[], value: unknown): void {
  let at: Json = root;
  for (let i = 0; i < path.length - 1; i++) {
    const part = path[i]!;
    const next = at[part];
    if (typeof next !== "object" || next === null) at[part] = {};
    at = at[part] as Json;
  }
  at[path[path.length - 1]!] = value;
}

/** True where the JSON of both is the same, key order aside. */
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
 * Applies one operation to `metadata` (which is not changed).
 * @returns the new metadata, or null where the operation cannot be applied: `remove` from what is no array, an unsafe key
 */
export function applyMetadataOperation(metadata: Json, operation: MetadataOperation): Json | null {
  if (operation.type === "update") return structuredClone(operation.value);
  const path = pathOf(operation.key);
  if (!path) return null;
  const next = structuredClone(metadata);
  const current = read(next, path);
  switch (operation.type) {
    case "set":
      write(next, path, operation.value);
      return next;
    case "delete": {
      const parent = path.length === 1 ? next : read(next, path.slice(0, -1));
      if (typeof parent === "object" && parent !== null) delete (parent as Json)[path[path.length - 1]!];
      return next;
    }
    case "append":
      write(
        next,
        path,
        current === undefined
          ? [operation.value]
          : [...(Array.isArray(current) ? current : [current]), operation.value],
      );
      return next;
    case "remove":
      if (!Array.isArray(current)) return null;
      write(
        next,
        path,
        current.filter((item) => !sameJson(item, operation.value)),
      );
      return next;
    case "increment":
      write(next, path, (typeof current === "number" ? current : 0) + operation.value);
      return next;
  }
}

/** Fewer operations of the same effect: neighbouring increments of a key are summed, of neighbouring sets the last stays. */
export function collapseOperations(operations: readonly MetadataOperation[]): MetadataOperation[] {
  const out: MetadataOperation[] = [];
  for (const operation of operations) {
    const last = out[out.length - 1];
    if (
      last &&
      last.type === operation.type &&
      "key" in last &&
      "key" in operation &&
      last.key === operation.key
    ) {
      if (last.type === "increment" && operation.type === "increment") {
        out[out.length - 1] = { ...last, value: last.value + operation.value };
        continue;
      }
      if (operation.type === "set" || operation.type === "delete") {
        out[out.length - 1] = operation;
        continue;
      }
    }
    out.push(operation);
  }
  return out;
}
