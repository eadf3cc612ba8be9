import type { MetadataOperation } from "./rpc.ts";

type Metadata = Record<string, unknown>;

/** Applies one operation to a run's metadata. `$.a.b` names a nested value; operations on a missing one start it. */
export function applyMetadata(metadata: Metadata, operation: MetadataOperation): Metadata {
  switch (operation.type) {
    case "update":
      return operation.value;
    case "set":
      return change(metadata, operation.key, () => operation.value);
    case "delete":
      return change(metadata, operation.key, () => undefined);
    case "append":
      return change(metadata, operation.key, (old) => [...listOf(old), operation.value]);
    case "remove":
      return change(metadata, operation.key, (old) =>
        Array.isArray(old)
          ? old.filter((item) => JSON.stringify(item) !== JSON.stringify(operation.value))
          : old,
      );
    case "increment":
      return change(metadata, operation.key, (old) => (typeof old === "number" ? old : 0) + operation.value);
  }
}

const listOf = (value: unknown): unknown[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];

function change(metadata: Metadata, key: string, update: (old: unknown) => unknown): Metadata {
  return changeAt(metadata, key.startsWith("$.") ? key.slice(2).split(".") : [key], update);
}

function changeAt(metadata: Metadata, path: string[], update: (old: unknown) => unknown): Metadata {
  const [head, ...rest] = path as [string, ...string[]];
  // Object.entries and fromEntries copy own properties only, so a key such as `__proto__` stays plain data.
  const entries = new Map(Object.entries(metadata));
  const old = entries.get(head);
  const value = rest.length === 0 ? update(old) : changeAt(isObject(old) ? old : {}, rest, update);
  if (value === undefined) entries.delete(head);
  else entries.set(head, value);
  return Object.fromEntries(entries);
}

const isObject = (value: unknown): value is Metadata =>
  typeof value === "object" && value !== null && !Array.isArray(value);
