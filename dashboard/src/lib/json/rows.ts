/** A line of the tree view of a JSON value. */
export interface JsonRow {
  /** Names and indexes from the top, as one text that is unique in the tree. */
  path: string;
  depth: number;
  /** Absent at the top. */
  key?: string;
  value: unknown;
  kind: "object" | "array" | "string" | "number" | "boolean" | "null";
  /** Members of an object or array. */
  size: number;
  open: boolean;
}

/** A value with more rows than this begins with all but its top level closed. */
export const OPEN_ROWS = 200;
/** The maximum number of listed members of one object or array. */
export const MEMBERS = 5_000;

export function kindOf(value: unknown): JsonRow["kind"] {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  const type = typeof value;
  return type === "object" || type === "string" || type === "boolean" ? type : "number";
}

const join = (path: string, key: string): string => `${path}/${key.replace(/~/g, "~0").replace(/\//g, "~1")}`;

/** Returns whether a node that nobody has toggled is open. */
const opensByItself = (depth: number, total: number): boolean =>
  depth === 0 || (total <= OPEN_ROWS && depth < 4);

/** Returns the visible rows. `toggled` has the paths that a person opened or closed. */
export function jsonRows(value: unknown, toggled: ReadonlySet<string>, total = countNodes(value)): JsonRow[] {
  const rows: JsonRow[] = [];
  const stack: { path: string; depth: number; key?: string; value: unknown }[] = [
    { path: "", depth: 0, value },
  ];
  while (stack.length > 0) {
    const { path, depth, key, value: node } = stack.pop()!;
    const kind = kindOf(node);
    const entries =
      kind === "array"
        ? (node as unknown[]).length
        : kind === "object"
          ? Object.keys(node as object).length
          : 0;
    const open = entries > 0 && opensByItself(depth, total) !== toggled.has(path);
    rows.push({ path, depth, key, value: node, kind, size: entries, open });
    if (!open) continue;
    const members: [string, unknown][] =
      kind === "array"
        ? (node as unknown[]).slice(0, MEMBERS).map((member, index) => [String(index), member])
        : Object.entries(node as object).slice(0, MEMBERS);
    for (let index = members.length - 1; index >= 0; index--) {
      const [name, member] = members[index]!;
      stack.push({ path: join(path, name), depth: depth + 1, key: name, value: member });
    }
  }
  return rows;
}

/** Counts the nodes of a value, up to slightly more than the limit that decides how much is open. */
export function countNodes(value: unknown, limit = OPEN_ROWS + 1): number {
  let count = 0;
  const stack = [value];
  while (stack.length > 0 && count < limit) {
    const node = stack.pop();
    count += 1;
    if (node !== null && typeof node === "object") {
      for (const member of Object.values(node)) {
        stack.push(member);
        if (stack.length > limit) break;
      }
    }
  }
  return count;
}

/** `$.user.items[3].name`: for code that reads the value. */
export function accessPath(path: string): string {
  if (path === "") return "$";
  return path
    .slice(1)
    .split("/")
    .map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"))
    .reduce(
      (text, part) =>
        /^\d+$/.test(part)
          ? `${text}[${part}]`
          : /^[A-Za-z_$][\w$]*$/.test(part)
            ? `${text}.${part}`
            : `${text}[${JSON.stringify(part)}]`,
      "$",
    );
}
