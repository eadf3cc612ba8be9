import type { Schema, SchemaContext } from "./json-texts.ts";

/** The path of a field: names of properties, and `ITEM` for an item of a list. */
export type FieldPath = readonly string[];
export const ITEM = "[]";

export interface Field {
  path: FieldPath;
  /** The name of its property, or of the property whose item it is. */
  name: string;
  schema: Schema;
}

/** Deeper fields are reached through the values of those above them. */
const DEEPEST = 5;

/** All fields of values of this schema, lists and objects included. */
export function fieldsOf(schema: Schema, { resolve }: Pick<SchemaContext, "resolve">): Field[] {
  const found: Field[] = [];
  const visit = (at: Schema, path: FieldPath, name: string): void => {
    for (const choice of choicesOf(at, resolve)) {
      if (path.length > 0) found.push({ path, name, schema: choice });
      if (path.length >= DEEPEST) continue;
      for (const [key, property] of Object.entries(choice.properties ?? {}))
        visit(property, [...path, key], key);
      if (choice.items) visit(choice.items, [...path, ITEM], name);
    }
  };
  visit(schema, [], "");
  return found;
}

/** The schemas one of which a value has to match, without references. */
function choicesOf(schema: Schema, resolve: SchemaContext["resolve"]): Schema[] {
  if (schema.$ref !== undefined) return choicesOf(resolve(schema.$ref), resolve);
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf?.slice(0, 1);
  return choices ? choices.flatMap((choice) => choicesOf(choice, resolve)) : [schema];
}

/** A number in [0, 1). */
export type Random = () => number;

const OPTIONAL_CHANCE = 0.15;

/**
 * Returns the JSON text of a value that matches the schema, except for the field at `path`, which is `value`,
 * also a JSON text.
 */
export function textWithField(
  schema: Schema,
  context: SchemaContext,
  { path, value, random }: { path: FieldPath; value: string; random: Random },
): string {
  // Fields of one request belong together: the run, its lease and its token.
  const thing = Math.floor(random() * 1_000);
  const write = (at: Schema, name: string, rest: FieldPath | null): string => {
    if (rest?.length === 0) return value;
    const choices = choicesOf(at, context.resolve);
    const step = rest?.[0];
    const choice =
      choices.find(
        ({ items, properties }) => step !== undefined && (properties?.[step] || (step === ITEM && items)),
      ) ??
      choices[Math.floor(random() * choices.length)] ??
      {};
    if (step === ITEM && choice.items) return `[${write(choice.items, name, rest!.slice(1))}]`;
    const type = [choice.type].flat()[0];
    if (type === "object" && choice.properties) {
      const required = new Set(choice.required);
      const members = Object.entries(choice.properties)
        .filter(
          ([key]) =>
            key === step || required.has(key) || context.proofs?.has(key) || random() < OPTIONAL_CHANCE,
        )
        .map(
          ([key, property]) =>
            `${JSON.stringify(key)}:${write(property, key, key === step ? rest!.slice(1) : null)}`,
        );
      return `{${members.join(",")}}`;
    }
    if (type === "array") {
      const items = Array.from({ length: choice.minItems ?? 1 }, () => write(choice.items ?? {}, name, null));
      return `[${items.join(",")}]`;
    }
    return leaf(choice, name, context.known(name, thing), random);
  };
  return write(schema, "", path);
}

function leaf(schema: Schema, name: string, known: string | null, random: Random): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return JSON.stringify(schema.enum[Math.floor(random() * schema.enum.length)]);
  switch ([schema.type].flat()[0]) {
    case "string":
      return JSON.stringify(known ?? plausible(name, schema));
    case "number":
    case "integer":
      return known ?? String(Math.max(Math.ceil(schema.minimum ?? 1), Math.min(1, schema.maximum ?? 1)));
    case "boolean":
      return random() < 0.5 ? "true" : "false";
    case "null":
      return "null";
    default:
      return '{"a":1}';
  }
}

/** Returns a text that a field of this name accepts. */
function plausible(name: string, { format, maxLength = 20, minLength = 0 }: Schema): string {
  if (format === "date-time" || /date|At$|until/i.test(name)) return "2030-01-01T00:00:00.000Z";
  if (/delay|ttl|timeout|period|duration|overlap/i.test(name)) return "1h";
  if (/cron/i.test(name)) return "0 9 * * *";
  if (/zone/i.test(name)) return "UTC";
  if (/type$/i.test(name)) return "application/json";
  return "hello".slice(0, maxLength).padEnd(minLength, "x");
}
