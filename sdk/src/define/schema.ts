/**
 * The part of the Standard Schema specification (https://standardschema.dev, version 1) that the SDK uses.
 */
interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    readonly jsonSchema?: { input(options: { target: string }): unknown };
  };
}
type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };
interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/**
 * Anything that validates a payload: a Standard Schema, a function, or an object with one of the usual
 * methods.
 */
export type TaskSchema =
  | { readonly "~standard": { readonly types?: unknown; readonly version: 1 } }
  | ((input: never) => unknown)
  | { parseAsync(input: never): Promise<unknown> }
  | { parse(input: never): unknown }
  | { validateSync(input: never): unknown }
  | { create(input: never): unknown }
  | { assert(input: never): void };

/** The type of the payload that a trigger has to pass. */
export type inferSchemaIn<TSchema, TDefault = unknown> =
  TSchema extends StandardSchema<infer I, unknown>
    ? I
    : TSchema extends { _input: infer I }
      ? I
      : TSchema extends undefined
        ? TDefault
        : inferSchemaOut<TSchema, TDefault>;

/** The type of the payload that `run` gets. */
export type inferSchemaOut<TSchema, TDefault = unknown> =
  TSchema extends StandardSchema<unknown, infer O>
    ? O
    : TSchema extends { _output: infer O }
      ? O
      : TSchema extends (input: never) => infer O
        ? Awaited<O>
        : TSchema extends { parseAsync(input: never): Promise<infer O> }
          ? O
          : TSchema extends { parse(input: never): infer O }
            ? O
            : TSchema extends { validateSync(input: never): infer O }
              ? O
              : TSchema extends { create(input: never): infer O }
                ? O
                : TSchema extends { assert(input: unknown): asserts input is infer O }
                  ? O
                  : TDefault;

type Parse = (payload: unknown) => unknown;

function method(schema: object, name: string): Parse | undefined {
  const fn = (schema as Record<string, unknown>)[name];
  return typeof fn === "function" ? (payload) => fn.call(schema, payload) : undefined;
}

/**
 * Returns a function that parses a payload (or returns a promise of the parsed one) and throws if the schema
 * refuses it.
 * @throws Error if `schema` is none of the supported kinds
 */
export function parseFunctionOf(schema: TaskSchema): Parse {
  if ("~standard" in schema && typeof (schema as StandardSchema)["~standard"]?.validate === "function") {
    const standard = (schema as StandardSchema)["~standard"];
    return async (payload) => {
      const result = await standard.validate(payload);
      if (result.issues) throw new SchemaIssuesError(result.issues);
      return result.value;
    };
  }
  // An arktype schema is a function with a method `assert`. Calling it returns errors instead of throwing
  // them.
  if (typeof schema === "function") return method(schema, "assert") ?? (schema as Parse);
  for (const name of ["parseAsync", "parse", "validateSync", "create"]) {
    const parse = method(schema, name);
    if (parse) return parse;
  }
  const assert = method(schema, "assert");
  if (assert) {
    return (payload) => {
      assert(payload);
      return payload;
    };
  }
  throw new Error(
    "The schema of a task has to be a Standard Schema (zod, valibot, arktype, …), a function, or an object with parse()",
  );
}

/** The issues of a Standard Schema in one message, one per line, each with the path of its value. */
class SchemaIssuesError extends Error {
  readonly issues: readonly StandardIssue[];
  constructor(issues: readonly StandardIssue[]) {
    super(
      issues
        .map((issue) => {
          const path = (issue.path ?? [])
            .map((part) => String(typeof part === "object" ? part.key : part))
            .join(".");
          return path ? `${path}: ${issue.message}` : issue.message;
        })
        .join("\n"),
    );
    this.name = "SchemaIssuesError";
    this.issues = issues;
  }
}

/**
 * Returns the JSON schema of the payload that a trigger has to pass, or undefined if it cannot be derived.
 */
export function jsonSchemaOf(schema: unknown): unknown {
  if ((typeof schema !== "object" && typeof schema !== "function") || schema === null) return undefined;
  const standard = (schema as Partial<StandardSchema>)["~standard"];
  try {
    if (typeof standard?.jsonSchema?.input === "function")
      return standard.jsonSchema.input({ target: "draft-07" });
    const own =
      (schema as { toJsonSchema?: unknown; toJSONSchema?: unknown }).toJsonSchema ??
      (schema as { toJSONSchema?: unknown }).toJSONSchema;
    if (typeof own === "function") return own.call(schema);
  } catch {
    // Transforms, for instance, have no JSON schema. The task is then shown without one.
  }
  return undefined;
}
