import * as api from "@acme/sdk/contract/api";
import { z } from "zod";

interface Operation {
  summary: string;
  body?: z.ZodType;
  query?: z.ZodObject;
  response?: z.ZodType;
  status?: number;
  /** What it is called with; default: a secret key. */
  auth?: "secretKey" | "reader" | "accessToken" | "adminToken" | "none";
}

/** Every public route, with the schemas that check its requests. Host routes are the protocol's, not the API's. */
const OPERATIONS: Record<string, Record<string, Operation>> = {
  "/api/v1/tasks/{taskId}/trigger": {
    post: { summary: "Trigger a run of a task", body: api.TriggerBody, response: api.TriggerResponse },
  },
  "/api/v1/runs": {
    get: { summary: "List runs, newest first", query: api.ListRunsQuery, response: api.ListRunsResponse },
  },
  "/api/v3/runs/{runId}": {
    get: { summary: "Retrieve a run", response: api.RetrieveRunResponse, auth: "reader" },
  },
  "/api/v1/runs/{runId}/result": {
    get: { summary: "The result of a finished run; `?wait=SECONDS` (up to 60) waits for it", auth: "reader" },
  },
  "/api/v1/runs/{runId}/events": {
    get: { summary: "A run's timeline and logs", response: api.EventsResponse, auth: "reader" },
  },
  "/api/v1/runs/{runId}/attempts": {
    get: { summary: "A run's attempts", response: api.AttemptsResponse, auth: "reader" },
  },
  "/api/v2/runs/{runId}/cancel": { post: { summary: "Cancel a run" } },
  "/api/v1/runs/{runId}/replay": { post: { summary: "Trigger a copy of a run", body: api.ReplayBody } },
  "/api/v1/runs/{runId}/reschedule": {
    post: {
      summary: "Move the start of a delayed run",
      body: api.RescheduleBody,
      response: api.RetrieveRunResponse,
    },
  },
  "/api/v1/runs/{runId}/tags": { post: { summary: "Add tags to a run", body: api.AddTagsBody } },
  "/api/v1/runs/{runId}/metadata": {
    get: { summary: "A run's metadata", auth: "reader" },
    put: { summary: "Change a run's metadata", body: api.UpdateMetadataBody },
  },
  "/api/v1/idempotencyKeys/{key}/reset": {
    post: { summary: "Forget an idempotency key", body: api.ResetIdempotencyKeyBody },
  },
  "/api/v1/projects/{ref}/{env}/bundles/{contentHash}": {
    put: { summary: "Upload a bundle (an ES module)", response: api.UploadedBundle, auth: "accessToken" },
  },
  "/api/v1/projects/{ref}/{env}/deployments": {
    get: { summary: "List deployments, newest first", auth: "accessToken" },
    post: {
      summary: "Create a deployment of an uploaded bundle",
      body: api.CreateDeploymentBody,
      response: api.DeploymentBody,
      status: 201,
      auth: "accessToken",
    },
  },
  "/api/v1/projects/{ref}/{env}/deployments/{version}/promote": {
    post: { summary: "Send new runs to a deployment", response: api.DeploymentBody, auth: "accessToken" },
  },
  "/admin/v1/bootstrap": {
    post: {
      summary: "Create the first project, its environments and keys",
      body: api.BootstrapBody,
      auth: "adminToken",
    },
  },
  "/healthz": { get: { summary: "Whether an object and the database answer", auth: "none" } },
};

const jsonSchema = (schema: z.ZodType, io: "input" | "output") =>
  z.toJSONSchema(schema, { io, unrepresentable: "any" });

const json = (schema: z.ZodType, io: "input" | "output") => ({
  content: { "application/json": { schema: jsonSchema(schema, io) } },
});

const ERROR = { description: "What is wrong and what to do", ...json(api.ErrorBody, "output") };

function describe(path: string, operation: Operation) {
  const { summary, body, query, response, status = 200, auth = "secretKey" } = operation;
  return {
    summary,
    security: auth === "none" ? [] : [{ [auth]: [] }],
    parameters: [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
        name,
        in: "path",
        required: true,
        schema: { type: "string" },
      })),
      ...Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
        name,
        in: "query",
        schema: jsonSchema(schema as z.ZodType, "input"),
      })),
    ],
    ...(body ? { requestBody: json(body, "input") } : {}),
    responses: {
      [status]: { description: "Done", ...(response ? json(response, "output") : {}) },
      default: ERROR,
    },
  };
}

const bearer = (description: string) => ({ type: "http", scheme: "bearer", description });

/** The API's OpenAPI document, made from the schemas that validate. */
export function openApiDocument(version: string) {
  const paths = Object.fromEntries(
    Object.entries(OPERATIONS).map(([path, methods]) => [
      path,
      Object.fromEntries(
        Object.entries(methods).map(([method, operation]) => [method, describe(path, operation)]),
      ),
    ]),
  );
  return {
    openapi: "3.1.0",
    info: { title: "Acme", version, description: "Background tasks and durable workflows" },
    paths,
    components: {
      securitySchemes: {
        secretKey: bearer("Secret key of an environment (tr_prod_…)"),
        reader: bearer("Secret key, or the public token that triggering a run gave"),
        accessToken: bearer("Personal access token (tr_pat_…)"),
        adminToken: bearer("The server's admin token"),
      },
    },
  };
}
