import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";
import { REQUEST } from "../request-headers.ts";

export const RUNS_OPERATIONS: Operations = {
  "/api/v1/runs": {
    get: {
      id: "listRuns",
      summary: "List runs, newest first",
      query: api.ListRunsQuery,
      response: api.ListRunsResponse,
    },
  },
  "/api/v1/projects/{ref}/runs": {
    get: {
      id: "listProjectRuns",
      summary: "List runs of all environments of a project, newest first",
      query: api.ListProjectRunsQuery,
      response: api.ListRunsResponse,
    },
  },
  "/api/v3/runs/{runId}": {
    get: {
      id: "retrieveRun",
      summary: "Retrieve a run",
      response: api.RetrieveRunResponse,
    },
  },
  "/api/v1/runs/{runId}/result": {
    get: {
      id: "getRunResult",
      summary: "Retrieve the result of a finished run; `?wait=SECONDS` (up to 60) waits for it",
      query: api.ResultQuery,
      response: api.ResultResponse,
    },
  },
  "/api/v1/runs/{runId}/events": {
    get: {
      id: "listRunEvents",
      summary: "Retrieve a run's timeline and logs",
      response: api.EventsResponse,
    },
  },
  "/api/v1/runs/{runId}/trace": {
    get: {
      id: "retrieveRunTrace",
      summary:
        "Retrieve the trace that a run is part of, as one tree; with `page[size]`, as a flat list in pages",
      query: api.TraceQuery,
      response: api.TraceAnswer,
    },
  },
  "/api/v1/runs/{runId}/spans/{spanId}": {
    get: {
      id: "retrieveSpan",
      summary: "Retrieve a span of a run's trace, with its attributes and events",
      response: api.SpanResponse,
    },
  },
  "/api/v1/runs/{runId}/logs": {
    get: {
      id: "listRunLogs",
      summary: "List the log lines of a run, oldest first, filtered by level and text",
      query: api.RunLogsQuery,
      response: api.RunLogsResponse,
    },
  },
  "/api/v1/runs/{runId}/attempts": {
    get: {
      id: "listRunAttempts",
      summary: "List a run's attempts",
      response: api.AttemptsResponse,
    },
  },
  "/api/v1/runs/{runId}/packets/{field}": {
    get: {
      id: "getRunPacketAddress",
      summary: "Create an address to download a run's large `payload` or `output` from, valid for an hour",
      response: api.PacketAddress,
    },
  },
  "/api/v1/runs/{runId}/why": {
    get: {
      id: "explainRun",
      summary: "Retrieve why a run is not executing, from the objects that decide it",
      response: api.WhyResponse,
    },
  },
  "/api/v1/runs/{runId}/replay": {
    post: {
      id: "replayRun",
      summary: "Trigger a copy of a run",
      body: api.ReplayBody,
      optionalBody: true,
      response: api.RunIdResponse,
      headers: REQUEST,
    },
  },
  "/api/v2/runs/{runId}/cancel": {
    post: {
      id: "cancelRun",
      summary: "Cancel a run, and the runs and batches that it waits for",
      body: api.CancelBody,
      optionalBody: true,
      response: api.RunIdResponse,
    },
  },
  "/api/v1/runs/{runId}/reschedule": {
    post: {
      id: "rescheduleRun",
      summary: "Change the start of a delayed run",
      body: api.RescheduleBody,
      response: api.RetrieveRunResponse,
    },
  },
  "/api/v1/runs/{runId}/tags": {
    post: {
      id: "addRunTags",
      summary: "Add tags to a run",
      body: api.AddTagsBody,
      response: api.TagsResponse,
    },
  },
  "/api/v1/runs/{runId}/metadata": {
    get: {
      id: "getRunMetadata",
      summary: "Retrieve a run's metadata",
      response: api.MetadataResponse,
    },
    put: {
      id: "updateRunMetadata",
      summary: "Change a run's metadata",
      body: api.UpdateMetadataBody,
      response: api.MetadataResponse,
    },
  },
};
