/** The part of a JSON schema that a form can be made of. */
export interface FieldSchema {
  type?: string | readonly string[];
  title?: string;
  description?: string;
  enum?: readonly unknown[];
  const?: unknown;
  default?: unknown;
  format?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  pattern?: string;
  properties?: Readonly<Record<string, FieldSchema>>;
  required?: readonly string[];
  items?: FieldSchema;
}

export type FieldKind =
  | "text"
  | "long-text"
  | "number"
  | "integer"
  | "boolean"
  | "choice"
  | "choices"
  | "date"
  | "json";

export interface Field {
  /** Name of the property; empty: the answer itself. */
  name: string;
  label: string;
  hint?: string;
  kind: FieldKind;
  required: boolean;
  /** The options of a choice as JSON, so that a number stays a number. */
  options: readonly { label: string; value: string }[];
  schema: FieldSchema;
}

const LONG = 160;

/** What is typed into a form, by the field's name. */
export type FormInput = Record<string, string | boolean | readonly string[]>;

/**
 * Returns the fields of a schema's form; null if it is neither an object nor a single value, so that only
 * JSON can be entered.
 */
export function fieldsOf(schema: FieldSchema | undefined): Field[] | null {
  if (!schema) return null;
  if (schema.properties) {
    return Object.entries(schema.properties).map(([name, own]) =>
      fieldOf(name, own, schema.required?.includes(name) ?? false),
    );
  }
  const only = fieldOf("", schema, true);
  return only.kind === "json" ? null : [only];
}

function fieldOf(name: string, schema: FieldSchema, required: boolean): Field {
  return {
    name,
    label: schema.title ?? wordsOf(name),
    hint: schema.description,
    kind: kindOf(schema),
    required,
    options: (schema.enum ?? schema.items?.enum ?? []).map((value) => ({
      label: typeof value === "string" ? value : JSON.stringify(value),
      value: JSON.stringify(value),
    })),
    schema,
  };
}

function kindOf(schema: FieldSchema): FieldKind {
  if (schema.enum) return "choice";
  // `["string", "null"]` is a string that may be left out.
  const types = (typeof schema.type === "string" ? [schema.type] : (schema.type ?? [])).filter(
    (type) => type !== "null",
  );
  const type = types.length === 1 ? types[0] : undefined;
  if (type === "array" && schema.items?.enum) return "choices";
  if (type === "boolean") return "boolean";
  if (type === "number" || type === "integer") return type;
  if (type !== "string") return "json";
  if (schema.format === "date") return "date";
  return (schema.maxLength ?? 0) > LONG || schema.format === "textarea" ? "long-text" : "text";
}

/** `shippingAddress` → `Shipping address`. */
function wordsOf(name: string): string {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/[_-]+/g, " ")
    .toLowerCase()
    .trim();
  return words === "" ? "Answer" : words[0]!.toUpperCase() + words.slice(1);
}

/** What the form shows at first: the schema's defaults. */
export function initialInput(fields: readonly Field[]): FormInput {
  return Object.fromEntries(fields.map((field) => [field.name, initialOf(field)]));
}

function initialOf({ kind, schema, options, required }: Field): FormInput[string] {
  const value = schema.default ?? schema.const;
  if (kind === "boolean") return value === true;
  if (kind === "choices") return Array.isArray(value) ? value.map((item) => JSON.stringify(item)) : [];
  if (kind === "choice")
    return value === undefined ? (required ? (options[0]?.value ?? "") : "") : JSON.stringify(value);
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Returns what the form shows for an existing value; the schema's defaults where the value has nothing. */
export function inputOf(fields: readonly Field[], value: unknown): FormInput {
  const single = fields.length === 1 && fields[0]?.name === "";
  const known = new Map<string, unknown>(
    single ? [["", value]] : isRecord(value) ? Object.entries(value) : [],
  );
  return Object.fromEntries(fields.map((field) => [field.name, inputOfField(field, known.get(field.name))]));
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function inputOfField(field: Field, value: unknown): FormInput[string] {
  if (value === undefined || value === null) return initialOf(field);
  if (field.kind === "boolean") return value === true;
  if (field.kind === "choices")
    return Array.isArray(value) ? value.map((item) => JSON.stringify(item)) : initialOf(field);
  if (field.kind === "choice") return JSON.stringify(value);
  return typeof value === "string" && field.kind !== "json" ? value : JSON.stringify(value);
}

/** A payload with the form's answers in it. What the form has no field for stays. */
export function withAnswers(fields: readonly Field[], input: FormInput, payload: unknown): unknown {
  const answer = answerOfForm(fields, input);
  if (!isRecord(answer) || !isRecord(payload)) return answer;
  const names = new Set(fields.map(({ name }) => name));
  return Object.fromEntries([
    ...Object.entries(payload).filter(([name]) => !names.has(name)),
    ...Object.entries(answer),
  ]);
}

/** Returns the form's answer. @throws Error that names an invalid field */
export function answerOfForm(fields: readonly Field[], input: FormInput): unknown {
  const single = fields.length === 1 && fields[0]?.name === "";
  const entries: [string, unknown][] = [];
  for (const field of fields) {
    const value = answerTo(field, input[field.name] ?? "");
    if (value === undefined && field.required) throw new Error(`${field.label}: an answer is needed`);
    if (value !== undefined) entries.push([field.name, value]);
  }
  return single ? entries[0]?.[1] : Object.fromEntries(entries);
}

function answerTo({ kind, label }: Field, input: FormInput[string]): unknown {
  if (typeof input === "boolean") return input;
  if (typeof input !== "string") return input.map((item) => JSON.parse(item) as unknown);
  if (input.trim() === "") return undefined;
  if (kind === "number" || kind === "integer") {
    const number = Number(input);
    if (!Number.isFinite(number) || (kind === "integer" && !Number.isInteger(number)))
      throw new Error(`${label}: this is no ${kind === "integer" ? "whole number" : "number"}`);
    return number;
  }
  if (kind !== "json" && kind !== "choice") return input;
  try {
    return JSON.parse(input) as unknown;
  } catch {
    throw new Error(`${label}: this is not JSON`);
  }
}

/** Returns the yes-or-no field of a schema, which Approve and Reject set; null if there is none. */
export const decisionOf = (fields: readonly Field[] | null): string | null =>
  fields?.find(({ kind, required }) => kind === "boolean" && required)?.name ??
  fields?.find(({ kind }) => kind === "boolean")?.name ??
  null;
