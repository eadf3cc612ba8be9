import { parseEnv } from "node:util";

const QUOTES = ["", "'", '"', "`"];

/**
 * Returns a line (or several, for a value with line breaks) of a `.env` file that gives the variable this value, or null if
 * the format cannot express the value.
 */
export function envLine(name: string, value: string): string | null {
  for (const quote of QUOTES) {
    const line = `${name}=${quote}${value}${quote}`;
    const parsed = parseEnv(`${line}\nNEXT=1`);
    if (parsed[name] === value && parsed.NEXT === "1" && Object.keys(parsed).length === 2) return line;
  }
  return null;
}
