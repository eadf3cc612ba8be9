export interface DotenvLine {
  name: string;
  value: string;
}

export interface Dotenv {
  variables: DotenvLine[];
  /** Numbers of lines that are not assignments, from 1. */
  problems: { line: number; text: string }[];
}

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/;
const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" };

/**
 * The assignments of a .env file: `NAME=value`, with quotes, escapes in double quotes, values over several lines in quotes,
 * comments and `export`. The last assignment of a name counts.
 */
export function parseDotenv(text: string): Dotenv {
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  const found = new Map<string, string>();
  const problems: Dotenv["problems"] = [];
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!;
    if (line.trim() === "" || line.trim().startsWith("#")) continue;
    const match = ASSIGNMENT.exec(line);
    if (!match) {
      problems.push({ line: index + 1, text: line.slice(0, 80) });
      continue;
    }
    const [, name = "", rest = ""] = match;
    const quote = /^["'`]/.exec(rest)?.[0];
    if (!quote) {
      found.set(name, rest.replace(/\s+#.*$/, "").trim());
      continue;
    }
    let value = rest.slice(1);
    const began = index;
    while (endOf(value, quote) === -1 && index + 1 < lines.length) value += `\n${lines[++index]}`;
    const end = endOf(value, quote);
    if (end === -1) {
      problems.push({ line: began + 1, text: `${name}: the quote is never closed` });
      index = began;
      continue;
    }
    const inside = value.slice(0, end);
    found.set(
      name,
      quote === '"' ? inside.replace(/\\([nrt"\\])/g, (_, c: string) => ESCAPES[c] ?? c) : inside,
    );
  }
  return { variables: [...found].map(([name, value]) => ({ name, value })), problems };
}

function endOf(value: string, quote: string): number {
  for (let index = 0; index < value.length; index++) {
    if (quote === '"' && value[index] === "\\") index++;
    else if (value[index] === quote) return index;
  }
  return -1;
}

export interface VariableChange extends DotenvLine {
  /** `secret`: there is an existing secret, whose value can't be compared. */
  kind: "new" | "changed" | "same" | "secret";
  before?: string;
}

/** Returns what setting these variables would change. */
export function changesOf(
  wanted: readonly DotenvLine[],
  existing: readonly { name: string; value: string; isSecret: boolean }[],
): VariableChange[] {
  const known = new Map(existing.map((variable) => [variable.name, variable]));
  return wanted.map((line) => {
    const before = known.get(line.name);
    if (!before) return { ...line, kind: "new" };
    if (before.isSecret) return { ...line, kind: "secret" };
    return { ...line, kind: before.value === line.value ? "same" : "changed", before: before.value };
  });
}
