import fc from "fast-check";
import { extremesOf } from "./extremes.ts";
import { hostileJson } from "./hostile.ts";

/** The part of JSON Schema that the API's document uses. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  format?: string;
  default?: unknown;
}

export interface SchemaContext {
  /** `#/components/schemas/NAME` → schema. */
  resolve(ref: string): Schema;
  /**
   * Returns the text of a property of this name that the server knows, such as the id of a run; null if there
   * is none. Properties of one object that belong together get the same `thing`.
   */
  known(name: string, thing: number): string | null;
  /** Optional properties without which a request is refused before the rest of it matters. */
  proofs?: ReadonlySet<string>;
}

const HOSTILE_WEIGHT = 4;
const PROPER_WEIGHT = 96;

const orHostile = (proper: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: PROPER_WEIGHT, arbitrary: proper }, { weight: HOSTILE_WEIGHT, arbitrary: hostileJson });

/**
 * Generates JSON texts that mostly match the schema, in which any part is occasionally replaced by something
 * hostile.
 */
export function jsonTexts(
  schema: Schema,
  context: SchemaContext,
  name = "",
  thing = 0,
): fc.Arbitrary<string> {
  return orHostile(properTexts(schema, context, name, thing));
}

function properTexts(
  schema: Schema,
  context: SchemaContext,
  name: string,
  thing: number,
): fc.Arbitrary<string> {
  if (schema.$ref !== undefined) return properTexts(context.resolve(schema.$ref), context, name, thing);
  if (schema.const !== undefined) return fc.constant(JSON.stringify(schema.const));
  if (schema.enum) return fc.constantFrom(...schema.enum).map((value) => JSON.stringify(value));
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map((choice) => properTexts(choice, context, name, thing)));
  if (schema.allOf) return properTexts(schema.allOf[0] ?? {}, context, name, thing);
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case "object":
      return objectTexts(schema, context);
    case "array":
      return fc
        .array(jsonTexts(schema.items ?? {}, context, name, thing), {
          minLength: Math.min(schema.minItems ?? 0, 3),
          maxLength: Math.max(Math.min(schema.maxItems ?? 4, 4), schema.minItems ?? 0),
        })
        .map((items) => `[${items.join(",")}]`);
    case "string":
      return stringTexts(schema, context, name, thing);
    case "integer":
    case "number":
      return numberTexts(schema, context, name, thing);
    case "boolean":
      return fc.constantFrom("true", "false");
    case "null":
      return fc.constant("null");
    default:
      return fc.json({ maxDepth: 2 });
  }
}

function objectTexts(schema: Schema, context: SchemaContext): fc.Arbitrary<string> {
  const required = new Set(schema.required ?? []);
  return fc.nat(1_000).chain((thing) => {
    const members = Object.entries(schema.properties ?? {}).map(([name, property]) =>
      fc
        .tuple(fc.double({ min: 0, max: 1, noNaN: true }), jsonTexts(property, context, name, thing))
        .map(([chance, text]) =>
          chance < (required.has(name) || context.proofs?.has(name) ? 0.98 : 0.35)
            ? `${JSON.stringify(name)}:${text}`
            : null,
        ),
    );
    const extra = fc.oneof(
      { weight: 19, arbitrary: fc.constant(null) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom("__proto__", "constructor", "", "extra", "a\0"), hostileJson)
          .map(([name, text]) => `${JSON.stringify(name)}:${text}`),
      },
    );
    return fc.tuple(...members, extra).map((parts) => `{${parts.filter((part) => part !== null).join(",")}}`);
  });
}

function stringTexts(
  schema: Schema,
  context: SchemaContext,
  name: string,
  thing: number,
): fc.Arbitrary<string> {
  const known = context.known(name, thing);
  const any = fc.oneof(
    fc.string({
      minLength: Math.min(schema.minLength ?? 0, 50),
      maxLength: Math.min(schema.maxLength ?? 40, 40),
    }),
    fc.constantFrom(
      "hello",
      "5s",
      "1h",
      "2030-01-01T00:00:00.000Z",
      "application/json",
      "0 9 * * *",
      "UTC",
      "30m",
    ),
  );
  const texts =
    known === null
      ? any
      : fc.oneof({ weight: 5, arbitrary: fc.constant(known) }, { weight: 1, arbitrary: any });
  return texts.map((text) => JSON.stringify(text));
}

function numberTexts(
  schema: Schema,
  context: SchemaContext,
  name: string,
  thing: number,
): fc.Arbitrary<string> {
  const known = context.known(name, thing);
  const min = Math.ceil(schema.minimum ?? 0);
  const max = Math.floor(Math.min(schema.maximum ?? 1_000, min + 1_000));
  const usual = fc.integer({ min, max: Math.max(min, max) }).map(String);
  const extremes = extremesOf(schema);
  const any =
    extremes.length === 0
      ? usual
      : fc.oneof({ weight: 3, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...extremes) });
  if (known === null) return any;
  return fc.oneof({ weight: 5, arbitrary: fc.constant(known) }, { weight: 1, arbitrary: any });
}
