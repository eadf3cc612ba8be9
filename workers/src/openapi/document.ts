import {
  DequeueRequest,
  DequeueResponse,
  HostDeployment,
  ReportRequest,
  ReportResponse,
} from "@acme/sdk/contract";
import * as api from "@acme/sdk/contract/api";
import { z } from "zod";
import { ACCESS, type Access } from "../auth/access.ts";
import type { Operation } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";

/** Schemas that have names in the document, so that generated clients get a type for each. */
const NAMES = new Map<unknown, string>(
  Object.entries({
    ...api,
    DequeueRequest,
    DequeueResponse,
    ReportRequest,
    ReportResponse,
    HostDeployment,
  })
    .filter(([, value]) => value instanceof z.ZodType)
    .map(([name, schema]) => [schema, name]),
);

type Schemas = Record<string, unknown>;

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}

/** Returns a body or response of this schema. A named schema is added to `schemas`. */
function content(schemas: Schemas, schema: z.ZodType, io: "input" | "output", type = "application/json") {
  const name = NAMES.get(schema);
  if (name === undefined) return { content: { [type]: { schema: jsonSchema(schema, io) } } };
  schemas[name] ??= jsonSchema(schema, io);
  return { content: { [type]: { schema: { $ref: `#/components/schemas/${name}` } } } };
}

const bytesOf = (type: string) => ({ content: { [type]: { schema: { type: "string", format: "binary" } } } });

const parameter = (where: "path" | "query" | "header", name: string, schema: object, more: object = {}) => ({
  name,
  in: where,
  schema,
  ...more,
});

function describe(schemas: Schemas, path: string, operation: Operation) {
  const { id, summary, query, headers, response, download, status = 200 } = operation;
  return {
    operationId: id,
    summary,
    tags: [/^\/(?:api|engine|admin)\/v\d+\/([\w-]+)/.exec(path)?.[1] ?? "server"],
    security: securityOf(ACCESS[id]),
    parameters: [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) =>
        parameter("path", name as string, { type: "string" }, { required: true }),
      ),
      ...Object.entries(query?.shape ?? {}).map(([name, schema]) =>
        parameter("query", name, jsonSchema(schema as z.ZodType, "input"), {
          required: !(schema as z.ZodType).safeParse(undefined).success,
        }),
      ),
      ...Object.entries(headers ?? {}).map(([name, description]) =>
        parameter("header", name, { type: "string" }, { description }),
      ),
    ],
    ...requestBody(schemas, operation),
    responses: {
      [status]: {
        description: "Done",
        ...(response ? content(schemas, response, "output") : {}),
        ...(download ? bytesOf(download) : {}),
      },
      default: { description: "What is wrong and what to do", ...content(schemas, api.ErrorBody, "output") },
    },
  };
}

type Security = Record<string, readonly string[]>;

/**
 * Any one of these is sufficient for a request. A public token is listed with scopes; it has to have one of
 * them. A person's session or access token names the environment in a header, unless the path does: both are
 * then needed.
 */
export function securityOf(access: Access): Security[] {
  const person: Security[] = [{ session: [] }, { accessToken: [] }];
  switch (access.credential) {
    case "none":
      return (access.checks ?? []).map((scheme) => ({ [scheme]: [] }));
    case "secretKey":
      return [
        { secretKey: [] },
        ...(access.scopes || access.decides ? [{ publicToken: publicScopes(access) }] : []),
        ...person.map((scheme) => ({ ...scheme, environment: [] })),
      ];
    case "environment":
      return [{ secretKey: [] }, ...person];
    case "accessToken":
    case "member":
    case "project":
      return person;
    case "token":
      return [{ accessToken: [] }];
    default:
      return [{ [access.credential]: [] }];
  }
}

/** Placeholders such as `{TAG}` stand for values of the run, the query or the body. */
function publicScopes({
  scopes = [],
  ofRun,
  decides,
}: Extract<Access, { credential: "secretKey" }>): string[] {
  const [action, types] = decides ?? [];
  return [
    ...new Set([
      ...scopes,
      ...(types?.filter((type) => type !== "all").map((type) => `${action}:${type}:{taskId}`) ?? []),
      ...(ofRun ? [`${ofRun}:tasks:{taskId}`] : []),
      ...(ofRun === "read" ? ["read:tags:{tag}", "read:batch:{id}"] : []),
    ]),
  ];
}

function requestBody(schemas: Schemas, { body, bodyType, bytes, optionalBody }: Operation) {
  if (bytes) return { requestBody: { required: true, ...bytesOf(bytes) } };
  if (!body) return {};
  return { requestBody: { required: !optionalBody, ...content(schemas, body, "input", bodyType) } };
}

const bearer = (description: string) => ({ type: "http", scheme: "bearer", description });

/** Returns the API's OpenAPI document, generated from the validating schemas. */
export function openApiDocument(version: string) {
  const schemas: Schemas = {};
  const paths = Object.fromEntries(
    Object.entries(OPERATIONS).map(([path, methods]) => [
      path,
      Object.fromEntries(
        Object.entries(methods).map(([method, operation]) => [method, describe(schemas, path, operation)]),
      ),
    ]),
  );
  return {
    openapi: "3.1.0",
    info: {
      title: "Acme",
      version,
      description:
        "Background tasks and durable workflows. Every answer to a key has x-ratelimit-limit, x-ratelimit-remaining and x-ratelimit-reset (milliseconds since the epoch); a 429 also has retry-after (seconds).",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        secretKey: bearer("Secret key of an environment (tr_prod_…)"),
        publicToken: bearer(
          "Public token that has one of the listed scopes, where {…} stands for what the path, the query, the body or the run says",
        ),
        accessToken: bearer("Personal access token (tr_pat_…)"),
        session: {
          type: "apiKey",
          in: "cookie",
          name: "acme.session_token",
          description:
            "The session of a person who signed in at /sign-in; over https its name begins with __Secure-",
        },
        environment: {
          type: "apiKey",
          in: "header",
          name: api.ENVIRONMENT_HEADER,
          description:
            "Not a secret: the environment for which a session or access token is used, as PROJECTREF/SLUG or env_…",
        },
        host: bearer("Credential of a registered container host (ahc_…)"),
        hostToken: bearer("The token that container hosts register with"),
        adminToken: bearer("The server's admin token"),
        metricsToken: bearer("The server's metrics token"),
      },
    },
  };
}
