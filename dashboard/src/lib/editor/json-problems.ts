import { type Schema, Validator } from "@cfworker/json-schema";

export interface Problem {
  from: number;
  to: number;
  severity: "error" | "warning";
  message: string;
}

/** Returns the problems of a JSON text with their positions. An empty text means no payload, and is valid. */
export function problemsOf(text: string, schema?: unknown): Problem[] {
  if (text.trim() === "") return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = Math.min(text.length, Number(/position (\d+)/.exec(message)?.[1] ?? text.length));
    return [{ from: Math.max(0, at - 1), to: Math.max(at, 1), severity: "error", message: plain(message) }];
  }
  if (schema === null || typeof schema !== "object") return [];
  return schemaProblems(text, value, schema as Schema);
}

function schemaProblems(text: string, value: unknown, schema: Schema): Problem[] {
  let errors: { instanceLocation: string; error: string; keyword: string }[];
  try {
    errors = new Validator(schema, "2020-12", false).validate(value).errors;
  } catch {
    // An unreadable schema is ignored here; the server decides.
    return [];
  }
  return errors
    .filter(({ keyword }) => keyword !== "properties" && keyword !== "items" && keyword !== "$ref")
    .slice(0, 20)
    .map(({ instanceLocation, error }) => {
      const name = instanceLocation.split("/").at(-1) ?? "";
      const at = name === "" || name === "#" ? 0 : Math.max(0, text.indexOf(JSON.stringify(name)));
      const to = Math.min(text.length, at + (name === "#" ? 1 : name.length + 2));
      return { from: at, to, severity: "error" as const, message: error };
    });
}

const plain = (message: string): string =>
  message.replace(/ in JSON at position.*$/s, "").replace(/, ".*" is not valid JSON$/s, "");

/** Returns the value of a payload's text; `undefined` for an empty one. @throws Error if it is not JSON */
export const payloadOf = (text: string): unknown =>
  text.trim() === "" ? undefined : (JSON.parse(text) as unknown);
