import { QueryProblem } from "./problem.ts";

export type Token = {
  /** `word`: a keyword or a name; `name`: a name in quotes. */
  kind: "word" | "name" | "string" | "number" | "symbol" | "end";
  /** The unquoted value of a string or a quoted name. */
  text: string;
  offset: number;
};

const SPACE = /\s+/y;
const COMMENT = /--[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\//y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const SYMBOL = /->|::|\|\||<=>|[<>!=]=|<>|[-+*%=<>(),.[\];]|\/(?!\*)/y;
const STRING = /'(?:[^'\\]|\\[\s\S]|'')*'/y;
const QUOTED_NAME = /"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`\\]|\\[\s\S]|``)*`/y;

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", 0: "\0" };

const KINDS: readonly [Token["kind"], RegExp][] = [
  ["string", STRING],
  ["name", QUOTED_NAME],
  ["number", NUMBER],
  ["word", WORD],
  ["symbol", SYMBOL],
];

/** Splits a query into tokens. Comments and spaces are dropped: they never reach the database. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let offset = 0;
  while (offset < text.length) {
    const skipped = matchAt(SPACE, text, offset) ?? matchAt(COMMENT, text, offset);
    if (skipped !== null) {
      offset += skipped.length;
      continue;
    }
    const token = tokenAt(text, offset);
    if (!token) throw new QueryProblem(problemAt(text, offset), text, offset);
    const { kind, source } = token;
    const isQuoted = kind === "string" || kind === "name";
    tokens.push({ kind, text: isQuoted ? unquoted(source) : source, offset });
    offset += source.length;
    // For example 1day: a number must not be followed directly by a name.
    if (kind === "number" && /[A-Za-z_]/.test(text[offset] ?? "")) {
      throw new QueryProblem("This is no number", text, offset - source.length);
    }
  }
  tokens.push({ kind: "end", text: "", offset: text.length });
  return tokens;
}

function tokenAt(text: string, offset: number): { kind: Token["kind"]; source: string } | null {
  for (const [kind, pattern] of KINDS) {
    const source = matchAt(pattern, text, offset);
    if (source !== null) return { kind, source };
  }
  return null;
}

function matchAt(pattern: RegExp, text: string, offset: number): string | null {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0] ?? null;
}

function problemAt(text: string, offset: number): string {
  const rest = text.slice(offset);
  if (/^['"`]/.test(rest)) return "This quote is never closed";
  if (rest.startsWith("/*")) return "This comment is never closed";
  if (rest.startsWith("{")) return "Parameters in braces can't be used here: write the value";
  return `${JSON.stringify([...rest][0])} can't be used here`;
}

function unquoted(quoted: string): string {
  const quote = quoted[0] as string;
  return quoted.slice(1, -1).replaceAll(/\\([\s\S])|''|""|``/g, (pair, escaped: string | undefined) => {
    if (escaped !== undefined) return ESCAPES[escaped] ?? escaped;
    // Only the enclosing quote character is escaped by doubling it.
    return pair[0] === quote ? quote : pair;
  });
}
