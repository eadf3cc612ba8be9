import { type Schema, Validator } from "@cfworker/json-schema";
import { Failure } from "../http/failure.ts";

/** The maximum number of problems that a refusal names. */
const NAMED = 5;
/** The maximum size of an answer to a token that has a schema. */
const ANSWER_LENGTH = 64 * 1024;

/** References can make a small schema exponentially large to check. */
const REFUSED = ["$ref", "$dynamicRef", "$recursiveRef"];
/**
 * Only forms check these. On the server their cost can exceed the length of the text, at the expense of other
 * requests.
 */
const UNCHECKED = ["pattern", "patternProperties", "uniqueItems"];

/** Throws a 422 if it is not a JSON schema, or refers to another one. */
export function checkSchema(schema: Schema): void {
  if (holdsKey(schema, REFUSED)) throw unusable(`it must not refer to others by ${REFUSED.join(", ")}`);
  try {
    new Validator(withoutKeys(schema, UNCHECKED), "2020-12").validate({});
  } catch (error) {
    throw unusable(error instanceof Error ? error.message.slice(0, 300) : "it is no JSON schema");
  }
}

const unusable = (why: string): Failure =>
  new Failure(422, "invalid_schema", `The token's schema can't be used: ${why}. No token was created.`);

/** Throws a 422 that says what is wrong with an answer, given as JSON; null: there is none. */
export function checkAnswer(schema: Schema, json: string | null): void {
  if (json !== null && json.length > ANSWER_LENGTH) {
    throw new Failure(
      413,
      "answer_too_large",
      `The answer has more than ${ANSWER_LENGTH} characters, which is the most that a token with a schema takes.`,
    );
  }
  const value: unknown = json === null ? null : JSON.parse(json);
  const { valid, errors } = new Validator(withoutKeys(schema, UNCHECKED), "2020-12", false).validate(value);
  if (valid) return;
  // A keyword that only reports the failure of a part adds no information.
  const own = errors.filter(({ keyword }) => !["properties", "items", "allOf"].includes(keyword));
  const issues = (own.length > 0 ? own : errors).slice(0, NAMED).map(({ instanceLocation, error }) => ({
    path: instanceLocation.replace(/^#\/?/, "").replaceAll("/", ".") || "data",
    message: error,
  }));
  const sentence = issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new Failure(
    422,
    "answer_not_allowed",
    `The answer doesn't match the token's schema. ${sentence.slice(0, 800)}`,
    { issues },
  );
}

function holdsKey(value: unknown, keys: readonly string[]): boolean {
  if (Array.isArray(value)) return value.some((item) => holdsKey(item, keys));
  if (value === null || typeof value !== "object") return false;
  return Object.entries(value).some(([key, inner]) => keys.includes(key) || holdsKey(inner, keys));
}

/** Returns a copy without these keywords. Names of properties are not keywords. */
function withoutKeys(schema: Schema, keys: readonly string[]): Schema {
  const copy = (value: unknown, areNames: boolean): unknown => {
    if (Array.isArray(value)) return value.map((item) => copy(item, false));
    if (value === null || typeof value !== "object") return value;
    const kept = Object.entries(value).filter(([key]) => areNames || !keys.includes(key));
    return Object.fromEntries(
      kept.map(([key, inner]) => [key, copy(inner, !areNames && key === "properties")]),
    );
  };
  return copy(schema, false) as Schema;
}
