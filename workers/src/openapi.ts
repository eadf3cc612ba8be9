import * as api from "@acme/sdk/contract/api";
import { z } from "zod";

interface Operation {
  summary: string;
  body?: z.ZodType;
  query?: z.ZodObject;
  response?: z.ZodType;
  status?: number;
  headers?: Record<string, string>;
  /** The body is not one JSON value. */
  bodyType?: string;
  /** What it is called with; default: a secret key. */
  auth?: "secretKey" | "reader" | "accessToken" | "adminToken" | "none";
}

const OPERATION = {
  [api.OPERATION_HEADER]:
    "RUNID.ATTEMPT.NUMBER of the durable operation that the call is made for: sent again, it creates nothing new",
};

/** Every public route, with the schemas that check its requests. Host routes are the protocol's, not the API's. */
const OPERATIONS: Record<string, Record<string, Operation>> = {
  "/api/v1/tasks/{taskId}/trigger": {
    post: {
      summary: "Trigger a run of a task",
      body: api.TriggerBody,
      response: api.TriggerResponse,
      headers: OPERATION,
    },
  },
  "/api/v3/batches": {
    post: {
      summary: "Create a batch, to which its items are sent next",
      body: api.CreateBatchBody,
      response: api.CreateBatchResponse,
      status: 202,
      headers: OPERATION,
    },
  },
  "/api/v3/batches/{id}/items": {
    post: {
      summary: "Send items of a batch, one JSON object a line; with the last one its runs are created",
      body: api.BatchItemLine,
      bodyType: "application/x-ndjson",
      response: api.StreamBatchItemsResponse,
    },
  },
  "/api/v2/batches/{id}": {
    get: { summary: "Retrieve a batch", response: api.RetrieveBatchResponse, auth: "reader" },
  },
  "/api/v1/batches/{id}": {
    get: { summary: "Retrieve a batch", response: api.RetrieveBatchResponse, auth: "reader" },
  },
  "/api/v1/batches/{id}/results": {
    get: {
      summary: "Results of those items of a batch that are over, in their order",
      query: api.BatchResultsQuery,
      response: api.BatchResultsResponse,
      auth: "reader",
    },
  },
  "/api/v1/tasks/batch": {
    post: {
      summary: "Trigger up to 500 runs in one call, and get their ids",
      body: api.MixedBatchBody,
      response: api.MixedBatchResponse,
    },
  },
  "/api/v2/tasks/batch": {
    post: {
      summary: "Trigger up to 500 runs in one call",
      body: api.MixedBatchBody,
      response: api.MixedBatchCountResponse,
      status: 202,
    },
  },
  "/api/v1/tasks/{taskId}/batch": {
    post: {
      summary: "Trigger up to 500 runs of one task in one call",
      body: api.TaskBatchBody,
      response: api.TaskBatchResponse,
    },
  },
  "/api/v1/waitpoints/tokens": {
    get: {
      summary: "List tokens, newest first",
      query: api.ListTokensQuery,
      response: api.ListTokensResponse,
    },
    post: {
      summary: "Create a token that runs can wait for",
      body: api.CreateTokenBody,
      response: api.CreateTokenResponse,
    },
  },
  "/api/v1/waitpoints/tokens/{id}": {
    get: { summary: "Retrieve a token", response: api.RetrieveTokenResponse, auth: "reader" },
  },
  "/api/v1/waitpoints/tokens/{id}/complete": {
    post: {
      summary: "Complete a token; also with its public access token",
      body: api.CompleteTokenBody,
      response: api.CompleteTokenResponse,
      auth: "reader",
    },
  },
  "/api/v1/waitpoints/tokens/{id}/callback/{hash}": {
    post: {
      summary: "The token's `url`: completes it with the request's body",
      response: api.CompleteTokenResponse,
      auth: "none",
    },
  },
  "/api/v1/packets/{key}": {
    get: { summary: "An address that a large payload or output can be downloaded from, for an hour" },
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
  "/api/v2/runs/{runId}/cancel": {
    post: { summary: "Cancel a run and what it waits for", body: api.CancelBody },
  },
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

const json = (schema: z.ZodType, io: "input" | "output", type = "application/json") => ({
  content: { [type]: { schema: jsonSchema(schema, io) } },
});

const ERROR = { description: "What is wrong and what to do", ...json(api.ErrorBody, "output") };

function describe(path: string, operation: Operation) {
  const { summary, body, bodyType, query, headers, response, status = 200, auth = "secretKey" } = operation;
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
      ...Object.entries(headers ?? {}).map(([name, description]) => ({
        name,
        in: "header",
        description,
        schema: { type: "string" },
      })),
    ],
    ...(body ? { requestBody: json(body, "input", bodyType) } : {}),
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
        reader: bearer("Secret key, or the public token that came with what it is about"),
        accessToken: bearer("Personal access token (tr_pat_…)"),
        adminToken: bearer("The server's admin token"),
      },
    },
  };
}
