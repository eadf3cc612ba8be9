/** The part of the Standard Schema specification (https://standardschema.dev, version 1) that is used here. */
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

/** Anything that checks a payload: a Standard Schema, a function, or an object with one of the usual methods. */
export type TaskSchema =
  | { readonly "~standard": { readonly types?: unknown; readonly version: 1 } }
  | ((input: never) => unknown)
  | { parseAsync(input: never): Promise<unknown> }
  | { parse(input: never): unknown }
  | { validateSync(input: never): unknown }
  | { create(input: never): unknown }
  | { assert(input: never): void };

/** What a trigger has to give. */
export type inferSchemaIn<TSchema, TDefault = unknown> =
  TSchema extends StandardSchema<infer I, unknown>
    ? I
    : TSchema extends { _input: infer I }
      ? I
      : TSchema extends undefined
        ? TDefault
        : inferSchemaOut<TSchema, TDefault>;

/** What `run` gets. */
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
 * A function that returns the parsed payload (or a promise of it) and throws where the schema refuses it.
 * @throws Error where `schema` is none of the known kinds
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
  // An arktype schema is a function with `assert`; called, it returns its errors instead of throwing.
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

/** The issues of a Standard Schema in one message, one a line, each with the path of the value it is about. */
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

/** JSON schema of what a trigger has to give; undefined where the schema can't tell. */
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
    // Transforms and the like have no JSON schema: the task is simply shown without one.
  }
  return undefined;
}
