import fc from "fast-check";
import { fieldValues } from "../../../tests/support/fuzz/field-values.ts";
import { type Field, fieldsOf, type Random, textWithField } from "../../../tests/support/fuzz/fields.ts";
import { hostileText } from "../../../tests/support/fuzz/hostile.ts";
import { jsonTexts, type Schema, type SchemaContext } from "../../../tests/support/fuzz/json-texts.ts";
import type { World } from "./world.ts";

interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  schema: Schema;
}

interface Described {
  operationId: string;
  security: Record<string, unknown>[];
  parameters: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
}

/** The part of the API's document from which requests are derived. */
export interface Document {
  paths: Record<string, Record<string, Described>>;
  components: { schemas: Record<string, Schema> };
}

export interface FuzzRequest {
  operation: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | Uint8Array<ArrayBuffer> | undefined;
}

/** Texts that are not properly encoded. */
const ODD_SEGMENTS = ["%", "%zz", "%00", "%2F%2F", "%252F", "a%20b", "%F0%9F", "x.json", "x%20y.json"];

/** The header with which a host proves that it holds the run. */
const PROOFS = new Set(["apiToken"]);

const chance = (percent: number): fc.Arbitrary<boolean> => fc.nat(99).map((n) => n < percent);

/** Requests to all operations of the document, in the proportion of one each. */
export function requests(document: Document, world: World): fc.Arbitrary<FuzzRequest> {
  const context: SchemaContext = {
    resolve: resolverOf(document),
    known: (name, thing) => world.known(name, thing),
    proofs: PROOFS,
  };
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, described]) =>
        () =>
          requestsTo(path, method, described, context, world),
    ),
  );
  return fc.constantFrom(...operations).chain((make) => make());
}

function requestsTo(
  path: string,
  method: string,
  described: Described,
  context: SchemaContext,
  world: World,
): fc.Arbitrary<FuzzRequest> {
  return fc
    .tuple(
      pathTexts(path, context),
      queryTexts(described.parameters, context),
      headerTexts(described, world),
      method === "get" ? fc.constant(undefined) : bodies(described, context),
    )
    .map(([filled, query, headers, body]) => ({
      operation: described.operationId,
      method: method.toUpperCase(),
      path: query === "" ? filled : `${filled}?${query}`,
      headers,
      body,
    }));
}

/** One part of one operation that a request can get wrong: a field of the body, a parameter of the query or of the path. */
export interface Target {
  operation: string;
  method: string;
  path: string;
  described: Described;
  field: Field;
  in: "body" | "query" | "path";
}

/** All parts of all operations. */
export function targetsOf(document: Document): Target[] {
  const context = { resolve: resolverOf(document) };
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, described]) => {
      const target = (field: Field, where: Target["in"]): Target => ({
        operation: described.operationId,
        method,
        path,
        described,
        field,
        in: where,
      });
      const parameters = described.parameters
        .filter((parameter) => parameter.in !== "header")
        .map(({ in: where, name, schema }) =>
          target({ path: [name], name, schema }, where === "path" ? "path" : "query"),
        );
      const body = jsonBodyOf(described);
      return [...parameters, ...(body ? fieldsOf(body, context).map((field) => target(field, "body")) : [])];
    }),
  );
}

/** Callers who are seldom refused before the rest of a request is looked at. */
const MAY_DO_MOST = ["secretKey", "session", "host"];

/** A request that is valid except for one field. */
export function requestTo(target: Target, document: Document, world: World, random: Random): FuzzRequest {
  const { described, field, method } = target;
  const context: SchemaContext = {
    resolve: resolverOf(document),
    known: (name, thing) => world.known(name, thing),
    proofs: PROOFS,
  };
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const value = pick(pick(fieldValues(field.name, field.schema)));
  const thing = Math.floor(random() * 1_000);
  const path = target.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    if (target.in === "path" && field.name === name) return pick([segment(unquoted(value)), ...ODD_SEGMENTS]);
    const about = name === "id" ? `${/\/([\w-]+)\/\{id\}/.exec(target.path)?.[1]}.id` : name;
    return segment(context.known(about, thing) ?? "x");
  });
  const query =
    target.in === "query"
      ? `?${encodeURIComponent(field.name)}=${encodeURIComponent(unquoted(value).toWellFormed())}`
      : "";
  const schema = jsonBodyOf(described);
  const schemes = described.security.flatMap((one) => Object.keys(one));
  const strongest = MAY_DO_MOST.find((one) => schemes.includes(one));
  const scheme = strongest && random() < 0.85 ? strongest : pick(schemes);
  const text = schema
    ? textWithField(schema, context, { path: target.in === "body" ? field.path : ["\0"], value, random })
    : undefined;
  return {
    operation: `${target.operation} (${target.in} ${field.path.join(".")})`,
    method: method.toUpperCase(),
    path: `${path}${query}`,
    headers: { "content-type": "application/json", ...(scheme ? world.headersOf(scheme) : {}) },
    body: method === "get" ? undefined : text,
  };
}

const resolverOf =
  (document: Document) =>
  (ref: string): Schema =>
    document.components.schemas[ref.slice(ref.lastIndexOf("/") + 1)] ?? {};

/** The schema of a body that is JSON, or of its lines. */
function jsonBodyOf({ requestBody }: Described): Schema | undefined {
  const [content] = Object.values(requestBody?.content ?? {});
  return content?.schema.format === "binary" ? undefined : content?.schema;
}

/** A text as a segment of a path. One that is dots only would be resolved by the client. */
const segment = (text: string): string =>
  /^\.{1,2}$/.test(text) ? text.replaceAll(".", "%2E") : encodeURIComponent(text.toWellFormed()) || "%20";

function pathTexts(path: string, context: SchemaContext): fc.Arbitrary<string> {
  const parts = path.split(/(\{\w+\})/).map((part) => {
    if (!part.startsWith("{")) return fc.constant(part);
    // An id is one of what the path is about.
    const name = part === "{id}" ? `${/\/([\w-]+)\/\{id\}/.exec(path)?.[1]}.id` : part.slice(1, -1);
    return fc.nat(1_000).chain((thing) => {
      const known = context.known(name, thing);
      return fc.oneof(
        { weight: known === null ? 1 : 80, arbitrary: fc.constant(segment(known ?? "x")) },
        { weight: 15, arbitrary: hostileText.map(segment) },
        // A text that is not properly encoded.
        {
          weight: 5,
          arbitrary: fc.constantFrom(...ODD_SEGMENTS),
        },
      );
    });
  });
  return fc.tuple(...parts).map((texts) => texts.join(""));
}

function queryTexts(parameters: Parameter[], context: SchemaContext): fc.Arbitrary<string> {
  const inQuery = parameters.filter((parameter) => parameter.in === "query");
  const each = inQuery.map(({ name, schema, required }) =>
    fc
      .tuple(chance(required ? 98 : 25), chance(12), hostileText, jsonTexts(schema, context, name))
      .map(([present, hostile, text, json]) => {
        if (!present) return [];
        return [
          `${encodeURIComponent(name)}=${encodeURIComponent((hostile ? text : unquoted(json)).toWellFormed())}`,
        ];
      }),
  );
  const extra = fc.constantFrom("", "", "", "", "", "&&=", "x=1", "page%5Bsize%5D=5&page%5Bsize%5D=6");
  return fc
    .tuple(fc.tuple(...each), extra)
    .map(([own, more]) => [...own.flat(), ...(more === "" ? [] : [more])].join("&"));
}

function unquoted(json: string): string {
  const value: unknown = json.startsWith('"') ? JSON.parse(json) : json;
  return typeof value === "string" ? value : json;
}

const HEADERS = [
  ["x-acme-operation", "run_x.1.0"],
  ["x-acme-operation", "a b"],
  ["x-acme-environment", "env_x"],
  ["x-trigger-request-idempotency-key", "k"],
  ["x-trigger-request-idempotency-key", "k".repeat(1_000)],
  ["x-trigger-branch", "x".repeat(500)],
  ["trigger-version", "4.8.3"],
  ["content-type", "text/plain"],
  ["content-type", "application/x-www-form-urlencoded"],
  ["content-type", "multipart/form-data; boundary=x"],
  ["content-encoding", "gzip"],
  ["origin", "https://other.test"],
  ["cookie", "acme.session_token=x"],
  ["if-none-match", "*"],
  ["upgrade", "websocket"],
  ["last-event-id", "-1"],
  ["accept", "text/event-stream"],
  ["range", "bytes=0-"],
] as const;

function headerTexts(described: Described, world: World): fc.Arbitrary<Record<string, string>> {
  const own = described.security.flatMap((scheme) => Object.keys(scheme));
  const scheme = fc.oneof(
    { weight: 94, arbitrary: fc.constantFrom(...(own.length > 0 ? own : ["none"])) },
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        "secretKey",
        "publicToken",
        "accessToken",
        "session",
        "hostToken",
        "unknown",
      ),
    },
  );
  const more = fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.constantFrom(...HEADERS), { maxLength: 3 }) },
  );
  return fc.tuple(scheme, more).map(([name, headers]) => ({
    "content-type": "application/json",
    ...(name === "none" ? {} : world.headersOf(name)),
    ...Object.fromEntries(headers),
  }));
}

function bodies(
  { requestBody }: Described,
  context: SchemaContext,
): fc.Arbitrary<string | Uint8Array<ArrayBuffer> | undefined> {
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  if (!content || type === undefined) {
    return fc.constantFrom(undefined, undefined, "{}", "[]", "\0", "{");
  }
  if (content.schema.format === "binary") {
    return fc.constantFrom("1", "{}", "", "hello", "{", "a=1&b=%", "\0", "ä".repeat(200_000));
  }
  const one = jsonTexts(content.schema, context);
  const texts = type.includes("ndjson")
    ? fc.array(one, { maxLength: 5 }).map((lines) => lines.join("\n"))
    : one;
  return fc.oneof(
    { weight: 95, arbitrary: texts },
    { weight: 2, arbitrary: fc.tuple(texts, fc.nat(200)).map(([text, end]) => text.slice(0, end)) },
    {
      weight: 2,
      arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => new Uint8Array(bytes)),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(undefined, "", "null", "{", "\ufeff{}", "{}{}", " ".repeat(300_000)),
    },
  );
}
