import {
  DequeueRequest,
  DequeueResponse,
  HostBody,
  HostDeployment,
  ListHostsResponse,
  RegisteredHost,
  RegisterHostBody,
  ReportRequest,
  ReportResponse,
} from "@acme/sdk/contract";
import * as api from "@acme/sdk/contract/api";
import type { z } from "zod";
import type { OperationId } from "../auth/access.ts";
import { REQUEST_KEY_HEADER } from "../http/request-key.ts";

/** A route of the API. */
export interface Operation {
  /** Name of the function in generated clients, which must not change. `ACCESS` says what the route takes by this name. */
  id: OperationId;
  summary: string;
  body?: z.ZodType;
  /** The body may be left out: that is the same as `{}`. */
  optionalBody?: boolean;
  query?: z.ZodObject;
  response?: z.ZodType;
  status?: number;
  headers?: Record<string, string>;
  /** Content type of a body that is not one JSON value. */
  bodyType?: string;
  /** Content type of a body that has no schema. */
  bytes?: string;
  /** Content type of an answer that has no schema. */
  download?: string;
}

const OPERATION = {
  [api.OPERATION_HEADER]:
    "RUNID.ATTEMPT.NUMBER of the durable operation that the call is made for: sent again, it creates nothing new",
};

const REQUEST = {
  [REQUEST_KEY_HEADER]:
    "Any unique text. The call sent again with the same one, within an hour, gives the same run",
};

/** Every route, with the schemas that check its requests. */
export const OPERATIONS: Record<string, Record<string, Operation>> = {
  "/api/v1/tasks/{taskId}/trigger": {
    post: {
      id: "triggerTask",
      summary: "Trigger a run of a task; `?wait=SECONDS` (up to 60) waits for its result",
      query: api.ResultQuery,
      body: api.TriggerBody,
      response: api.TriggerResponse,
      headers: { ...OPERATION, ...REQUEST },
    },
  },
  "/api/v3/batches": {
    post: {
      id: "createBatch",
      summary: "Create a batch. Its items are sent next",
      body: api.CreateBatchBody,
      response: api.CreateBatchResponse,
      status: 202,
      headers: OPERATION,
    },
  },
  "/api/v3/batches/{id}/items": {
    post: {
      id: "streamBatchItems",
      summary:
        "Send items of a batch, one JSON object per line. Its runs are created when all items have arrived",
      body: api.BatchItemLine,
      bodyType: "application/x-ndjson",
      response: api.StreamBatchItemsResponse,
    },
  },
  "/api/v2/batches/{id}": {
    get: {
      id: "retrieveBatch",
      summary: "Retrieve a batch",
      response: api.RetrieveBatchResponse,
    },
  },
  "/api/v1/batches/{id}": {
    get: {
      id: "retrieveBatchV1",
      summary: "Retrieve a batch",
      response: api.RetrieveBatchResponse,
    },
  },
  "/api/v1/batches/{id}/results": {
    get: {
      id: "listBatchResults",
      summary: "Results of the items of a batch that have finished, in their order",
      query: api.BatchResultsQuery,
      response: api.BatchResultsResponse,
    },
  },
  "/api/v1/tasks/batch": {
    post: {
      id: "batchTriggerV1",
      summary: "Trigger up to 500 runs in one call, and get their ids",
      body: api.MixedBatchBody,
      response: api.MixedBatchResponse,
    },
  },
  "/api/v2/tasks/batch": {
    post: {
      id: "batchTriggerV2",
      summary: "Trigger up to 500 runs in one call",
      body: api.MixedBatchBody,
      response: api.MixedBatchCountResponse,
      status: 202,
    },
  },
  "/api/v1/tasks/{taskId}/batch": {
    post: {
      id: "batchTriggerTask",
      summary: "Trigger up to 500 runs of one task in one call",
      body: api.TaskBatchBody,
      response: api.TaskBatchResponse,
    },
  },
  "/api/v1/waitpoints/tokens": {
    get: {
      id: "listTokens",
      summary: "List tokens, newest first",
      query: api.ListTokensQuery,
      response: api.ListTokensResponse,
    },
    post: {
      id: "createToken",
      summary: "Create a token that runs can wait for",
      body: api.CreateTokenBody,
      optionalBody: true,
      response: api.CreateTokenResponse,
    },
  },
  "/api/v1/waitpoints/tokens/{id}": {
    get: {
      id: "retrieveToken",
      summary: "Retrieve a token",
      response: api.RetrieveTokenResponse,
    },
  },
  "/api/v1/waitpoints/tokens/{id}/complete": {
    post: {
      id: "completeToken",
      summary: "Complete a token; also with its public access token",
      body: api.CompleteTokenBody,
      optionalBody: true,
      response: api.CompleteTokenResponse,
    },
  },
  "/api/v1/waitpoints/tokens/{id}/callback/{hash}": {
    post: {
      id: "callBackToken",
      summary: "The token's `url`: completes it with the request's body",
      bytes: "*/*",
      response: api.CompleteTokenResponse,
    },
  },
  "/api/v1/packets/{name}": {
    get: {
      id: "getPacketAddress",
      summary: "An address that a large payload or output can be downloaded from, for an hour",
      response: api.PacketAddress,
    },
    put: {
      id: "createPacketAddressV1",
      summary: "An address to upload a large payload to, for an hour; triggers then name it by `name`",
      response: api.PacketAddress,
    },
  },
  "/api/v2/packets/{name}": {
    put: {
      id: "createPacketAddress",
      summary: "An address to upload a large payload to, for an hour; triggers then name it by `storagePath`",
      response: api.PacketAddress,
    },
  },
  "/api/v1/packet": {
    get: {
      id: "downloadPacket",
      summary: "The address to download from: its query is signed",
      query: api.SignedPacketQuery,
      download: "*/*",
    },
    put: {
      id: "uploadPacket",
      summary: "The address to upload to: its query is signed. At most 10 MB of JSON, superjson or text",
      query: api.SignedPacketQuery,
      bytes: "*/*",
      response: api.StoredPacket,
    },
  },
  "/api/v1/schedules": {
    get: {
      id: "listSchedules",
      summary: "List schedules, newest first",
      query: api.ListSchedulesQuery,
      response: api.ListSchedulesResponse,
    },
    post: {
      id: "createSchedule",
      summary: "Create a schedule, or update the one that has this deduplication key",
      body: api.CreateScheduleBody,
      response: api.ScheduleObject,
    },
  },
  "/api/v1/schedules/{id}": {
    get: {
      id: "retrieveSchedule",
      summary: "Retrieve a schedule, by id or deduplication key",
      response: api.ScheduleObject,
    },
    put: {
      id: "updateSchedule",
      summary: "Replace a schedule",
      body: api.UpdateScheduleBody,
      response: api.ScheduleObject,
    },
    delete: { id: "deleteSchedule", summary: "Delete a schedule", response: api.DeletedSchedule },
  },
  "/api/v1/schedules/{id}/activate": {
    post: {
      id: "activateSchedule",
      summary: "Activate a schedule, from its next tick on",
      response: api.ScheduleObject,
    },
  },
  "/api/v1/schedules/{id}/deactivate": {
    post: { id: "deactivateSchedule", summary: "Deactivate a schedule", response: api.ScheduleObject },
  },
  "/api/v1/timezones": {
    get: {
      id: "listTimezones",
      summary: "Time zones that schedules can be in",
      query: api.TimezonesQuery,
      response: api.TimezonesResponse,
    },
  },
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
      summary: "The result of a finished run; `?wait=SECONDS` (up to 60) waits for it",
      query: api.ResultQuery,
      response: api.ResultResponse,
    },
  },
  "/api/v1/runs/{runId}/events": {
    get: {
      id: "listRunEvents",
      summary: "A run's timeline and logs",
      response: api.EventsResponse,
    },
  },
  "/api/v1/runs/{runId}/attempts": {
    get: {
      id: "listRunAttempts",
      summary: "A run's attempts",
      response: api.AttemptsResponse,
    },
  },
  "/api/v1/deployments": {
    get: {
      id: "pageDeployments",
      summary: "List the environment's deployments, newest first, page by page",
      query: api.PageDeploymentsQuery,
      response: api.PageDeploymentsResponse,
    },
  },
  "/api/v1/deployments/current": {
    get: {
      id: "retrieveCurrentDeployment",
      summary: "Retrieve the deployment that new runs start on",
      response: api.DeploymentListItem,
    },
  },
  "/api/v1/runs/{runId}/packets/{field}": {
    get: {
      id: "getRunPacketAddress",
      summary: "An address to download a run's large `payload` or `output` from, for an hour",
      response: api.PacketAddress,
    },
  },
  "/api/v1/runs/{runId}/why": {
    get: {
      id: "explainRun",
      summary: "Why a run is not executing, from the objects that decide it",
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
      summary: "A run's metadata",
      response: api.MetadataResponse,
    },
    put: {
      id: "updateRunMetadata",
      summary: "Change a run's metadata",
      body: api.UpdateMetadataBody,
      response: api.MetadataResponse,
    },
  },
  "/api/v1/idempotencyKeys/{key}/reset": {
    post: {
      id: "resetIdempotencyKey",
      summary: "Forget an idempotency key",
      body: api.ResetIdempotencyKeyBody,
      response: api.RunIdResponse,
    },
  },
  "/api/v1/queues": {
    get: {
      id: "listQueues",
      summary: "List queues by name: those that had runs and those that the current deployment declares",
      query: api.ListQueuesQuery,
      response: api.ListQueuesResponse,
    },
  },
  "/api/v1/queues/{queue}": {
    get: {
      id: "getQueue",
      summary: "Retrieve a queue",
      query: api.RetrieveQueueQuery,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/metrics": {
    get: {
      id: "getQueueMetrics",
      summary: "A queue over the last hours: how many runs waited and executed, and how long runs waited",
      query: api.QueueMetricsQuery,
      response: api.QueueMetrics,
    },
  },
  "/api/v1/queues/{queue}/pause": {
    post: {
      id: "pauseQueue",
      summary: "Pause a queue (executing runs continue, no more are started), or resume it",
      body: api.PauseQueueBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/concurrency/override": {
    post: {
      id: "overrideQueueConcurrency",
      summary: "Override a queue's concurrency limits. Deployments do not change them until they are reset",
      body: api.OverrideConcurrencyBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/concurrency/reset": {
    post: {
      id: "resetQueueConcurrency",
      summary: "Restore the concurrency limits that are declared in code",
      body: api.ResetLimitBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/rate-limit/override": {
    post: {
      id: "overrideQueueRateLimit",
      summary: "Override a queue's rate limits. Deployments do not change them until they are reset",
      body: api.OverrideRateLimitBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/rate-limit/reset": {
    post: {
      id: "resetQueueRateLimit",
      summary: "Restore the rate limits that are declared in code",
      body: api.ResetLimitBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/partitions/override": {
    post: {
      id: "overrideQueuePartitions",
      summary:
        "Override the number of objects that a queue's new runs are spread over. Its limits apply to all of them together",
      body: api.OverridePartitionsBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/queues/{queue}/partitions/reset": {
    post: {
      id: "resetQueuePartitions",
      summary: "Restore the number of partitions that is declared in code",
      body: api.ResetLimitBody,
      response: api.QueueItem,
    },
  },
  "/api/v1/concurrency-limits": {
    get: {
      id: "listConcurrencyLimits",
      summary: "List the concurrency limits that tasks share, by name",
      query: api.ListConcurrencyLimitsQuery,
      response: api.ListConcurrencyLimitsResponse,
    },
  },
  "/api/v1/concurrency-limits/{name}": {
    get: {
      id: "retrieveConcurrencyLimit",
      summary: "Retrieve a concurrency limit; with `?concurrencyKey=KEY`, its bound for that key",
      query: api.RetrieveConcurrencyLimitQuery,
      response: api.ConcurrencyLimitAnswer,
    },
  },
  "/api/v1/concurrency-limits/{name}/override": {
    post: {
      id: "overrideConcurrencyLimit",
      summary:
        "Override bounds of a concurrency limit, which deployments then do not change; or, for a while, the bound of one key",
      body: api.OverrideConcurrencyLimitBody,
      response: api.ConcurrencyLimitAnswer,
    },
  },
  "/api/v1/concurrency-limits/{name}/pause": {
    post: {
      id: "pauseConcurrencyLimit",
      summary:
        "Pause a concurrency limit (executing runs continue, no more that hold it are started), or resume it",
      body: api.PauseConcurrencyLimitBody,
      response: api.ConcurrencyLimitItem,
    },
  },
  "/api/v1/concurrency-limits/{name}/reset": {
    post: {
      id: "resetConcurrencyLimit",
      summary: "Restore what code declares of a concurrency limit; or end the override of one key",
      body: api.ResetConcurrencyLimitBody,
      optionalBody: true,
      response: api.ConcurrencyLimitAnswer,
    },
  },
  "/api/v1/projects/{ref}/{env}": {
    get: {
      id: "getEnvironment",
      summary: "An environment and its limits",
      response: api.EnvironmentResponse,
    },
  },
  "/api/v1/projects/{ref}/{env}/pause": {
    post: {
      id: "pauseEnvironment",
      summary: "Pause an environment: executing runs continue, no more are started",
      response: api.EnvironmentResponse,
    },
  },
  "/api/v1/projects/{ref}/{env}/resume": {
    post: {
      id: "resumeEnvironment",
      summary: "Resume an environment",
      response: api.EnvironmentResponse,
    },
  },
  "/api/v1/projects/{ref}/{env}/bundles/{contentHash}": {
    put: {
      id: "uploadBundle",
      summary: "Upload a bundle (an ES module)",
      bytes: "application/javascript",
      response: api.UploadedBundle,
    },
  },
  "/api/v1/projects/{ref}/{env}/deployments": {
    get: {
      id: "listDeployments",
      summary: "List deployments, newest first",
      response: api.ListDeploymentsResponse,
    },
    post: {
      id: "createDeployment",
      summary: "Create a deployment of an uploaded bundle",
      body: api.CreateDeploymentBody,
      response: api.DeploymentBody,
      status: 201,
    },
  },
  "/engine/v1/dev/versions": {
    post: {
      id: "registerDevelopment",
      summary: "Register the tasks of a developer's machine with a development environment (acme dev)",
      body: api.RegisterDevelopmentBody,
      response: api.RegisteredDevelopment,
      status: 201,
    },
  },
  "/engine/v1/dev/tunnel": {
    post: {
      id: "createTunnelTicket",
      summary: "Create the token with which acme dev opens its tunnel, good for a minute",
      response: api.TunnelTicket,
    },
  },
  "/ws": {
    get: {
      id: "openTunnel",
      summary:
        "Opens the WebSocket through which acme dev gets runs (subprotocol acme.dev.1; see the SDK's contract/tunnel-protocol.ts)",
      download: "application/json",
    },
  },
  "/api/v1/projects/{ref}/{env}/deployments/{version}": {
    get: {
      id: "retrieveDeployment",
      summary: "Retrieve a deployment with its manifest: what its tasks, queues and schedules declare",
      response: api.RetrieveDeploymentResponse,
    },
  },
  "/api/v1/projects/{ref}/{env}/deployments/{version}/promote": {
    post: {
      id: "promoteDeployment",
      summary: "Send new runs to a deployment",
      response: api.DeploymentBody,
    },
  },
  "/api/v1/projects/{ref}/{env}/keys": {
    get: { id: "listKeys", summary: "List an environment's secret keys", response: api.ListApiKeysResponse },
    post: {
      id: "createKey",
      summary: "Create a secret key, which is shown this once",
      body: api.CreateApiKeyBody,
      optionalBody: true,
      response: api.CreatedApiKey,
      status: 201,
    },
  },
  "/api/v1/projects/{ref}/{env}/keys/{id}/rotate": {
    post: {
      id: "rotateKey",
      summary: "Replace a secret key; the former one is accepted for a while",
      body: api.RotateApiKeyBody,
      optionalBody: true,
      response: api.CreatedApiKey,
      status: 201,
    },
  },
  "/api/v1/projects/{ref}/{env}/keys/{id}": {
    delete: { id: "revokeKey", summary: "Revoke a secret key", response: api.CompleteTokenResponse },
  },
  "/api/v1/auth/public-tokens": {
    post: {
      id: "createPublicToken",
      summary: "Create a public token, which may be handed to a browser",
      body: api.CreatePublicTokenBody,
      response: api.PublicTokenResponse,
    },
  },
  "/api/v1/auth/jwt/claims": {
    post: {
      id: "createTokenClaims",
      summary: "What a client puts into public tokens that it signs with its secret key",
      response: api.TokenClaimsResponse,
    },
  },
  "/engine/v1/hosts": {
    post: {
      id: "registerHost",
      summary: "Register a container host's credential. 409: another has its id; 403: it was revoked",
      body: RegisterHostBody,
      response: RegisteredHost,
    },
  },
  "/engine/v1/worker-actions/dequeue": {
    post: {
      id: "dequeueRuns",
      summary: "A container host asks for runs; the request is held until there are some",
      body: DequeueRequest,
      response: DequeueResponse,
    },
  },
  "/engine/v1/worker-actions/report": {
    post: {
      id: "reportRuns",
      summary: "A container host reports what happened to its runs",
      body: ReportRequest,
      response: ReportResponse,
    },
  },
  "/engine/v1/worker-actions/deployments/{id}": {
    get: {
      id: "getHostDeployment",
      summary: "What a container host needs to run a deployment",
      response: HostDeployment,
    },
  },
  "/engine/v1/worker-actions/deployments/{id}/bundle": {
    get: {
      id: "downloadBundle",
      summary: "The bundle of a deployment",
      download: "text/javascript",
    },
  },
  "/admin/v1/hosts": {
    get: { id: "listHosts", summary: "List container hosts with their state", response: ListHostsResponse },
  },
  "/admin/v1/hosts/{hostId}": {
    delete: {
      id: "revokeHost",
      summary: "Revoke a container host; what it runs is queued again",
      response: HostBody,
    },
  },
  "/admin/v1/hosts/{hostId}/drain": {
    post: {
      id: "drainHost",
      summary: "Give a container host no more runs; what it runs goes on. Or give it runs again",
      body: api.DrainHostBody,
      response: HostBody,
    },
  },
  "/admin/v1/bootstrap": {
    post: {
      id: "bootstrap",
      summary: "Create the first project, its environments and keys",
      body: api.BootstrapBody,
      response: api.BootstrapResponse,
    },
  },
  "/api/v1/bulk-actions": {
    get: {
      id: "listBulkActions",
      summary: "List bulk actions, newest first",
      query: api.ListBulkActionsQuery,
      response: api.ListBulkActionsResponse,
    },
    post: {
      id: "createBulkAction",
      summary: "Cancel or replay many runs, by filter or by their ids",
      body: api.CreateBulkActionBody,
      response: api.BulkActionId,
      status: 202,
    },
  },
  "/api/v1/bulk-actions/{id}": {
    get: {
      id: "retrieveBulkAction",
      summary: "How far a bulk action is",
      response: api.BulkActionResource,
    },
  },
  "/api/v1/bulk-actions/{id}/abort": {
    post: {
      id: "abortBulkAction",
      summary: "Leave alone the runs that a bulk action has not come to",
      response: api.BulkActionId,
    },
  },
  "/api/v1/me/sessions": {
    get: { id: "listSessions", summary: "List one's own sessions", response: api.ListSessionsResponse },
    delete: {
      id: "revokeOtherSessions",
      summary: "Sign out everywhere else",
      response: api.RevokedSessions,
    },
  },
  "/api/v1/me/sessions/{id}": {
    delete: { id: "revokeSession", summary: "Sign a device out", response: api.RevokedSessions },
  },
  "/api/v1/me/passkeys": {
    get: { id: "listPasskeys", summary: "List one's own passkeys", response: api.ListPasskeysResponse },
  },
  "/api/v1/me/passkeys/{id}": {
    put: {
      id: "renamePasskey",
      summary: "Rename a passkey",
      body: api.RenamePasskeyBody,
      response: api.PasskeyObject,
    },
    delete: {
      id: "deletePasskey",
      summary: "Delete a passkey: it signs nobody in any more",
      response: api.PasskeyObject,
    },
  },
  "/api/v1/me/access-tokens": {
    get: {
      id: "listAccessTokens",
      summary: "List one's own personal access tokens",
      response: api.ListAccessTokensResponse,
    },
    post: {
      id: "createAccessToken",
      summary: "Create a personal access token for one organization, which is shown this once",
      body: api.CreateAccessTokenBody,
      response: api.CreatedAccessToken,
      status: 201,
    },
  },
  "/api/v1/me/access-tokens/{id}": {
    delete: {
      id: "revokeAccessToken",
      summary: "Revoke one of one's own access tokens",
      response: api.CompleteTokenResponse,
    },
  },
  "/api/v1/access-token": {
    get: {
      id: "getOwnAccessToken",
      summary: "What the access token is that the request is made with",
      response: api.WhoamiResponse,
    },
    delete: {
      id: "revokeOwnAccessToken",
      summary: "Revoke the access token that the request is made with",
      response: api.CompleteTokenResponse,
    },
  },
  "/api/v1/device/code": {
    post: {
      id: "startDeviceLogin",
      summary: "Ask for an access token that a person then allows in a browser (RFC 8628)",
      body: api.StartDeviceLoginBody,
      optionalBody: true,
      response: api.StartDeviceLoginResponse,
    },
  },
  "/api/v1/device/token": {
    post: {
      id: "pollDeviceLogin",
      summary:
        "Ask whether it was allowed: the token, once; else code `authorization_pending`, `slow_down`, `access_denied` or `expired_token`",
      body: api.PollDeviceLoginBody,
      response: api.CreatedAccessToken,
    },
  },
  "/api/v1/device/lookup": {
    post: {
      id: "lookUpDeviceLogin",
      summary: "What asks for a token with this user code",
      body: api.UserCodeBody,
      response: api.DeviceLogin,
    },
  },
  "/api/v1/device/approve": {
    post: {
      id: "approveDeviceLogin",
      summary: "Allow it a token of one organization",
      body: api.ApproveDeviceLoginBody,
      response: api.DecidedDeviceLogin,
    },
  },
  "/api/v1/device/deny": {
    post: {
      id: "denyDeviceLogin",
      summary: "Refuse it",
      body: api.UserCodeBody,
      response: api.DecidedDeviceLogin,
    },
  },
  "/api/v1/me/preferences": {
    get: {
      id: "getPreferences",
      summary: "What the dashboard remembers of a person",
      response: api.Preferences,
    },
    put: {
      id: "updatePreferences",
      summary: "Change it; what is absent stays",
      body: api.UpdatePreferencesBody,
      response: api.Preferences,
    },
  },
  "/api/v1/me/recent-payloads": {
    get: {
      id: "listRecentPayloads",
      summary: "Payloads that a person tested a task with, newest first",
      query: api.RecentPayloadsQuery,
      response: api.RecentPayloadsResponse,
    },
    post: {
      id: "addRecentPayload",
      summary: "Remember a payload",
      body: api.AddRecentPayloadBody,
      response: api.RecentPayloadsResponse,
    },
  },
  "/api/v1/sign-in-methods": {
    get: { id: "getSignInMethods", summary: "How one may sign in here", response: api.SignInMethods },
  },
  "/api/v1/me": {
    get: {
      id: "getMe",
      summary: "Who is signed in, and what they are a member of",
      response: api.MeResponse,
    },
  },
  "/api/v1/organizations": {
    post: {
      id: "createOrganization",
      summary: "Create an organization, with the caller as its owner",
      body: api.CreateOrganizationBody,
      response: api.OrganizationObject,
      status: 201,
    },
  },
  "/api/v1/organizations/{organization}": {
    get: {
      id: "getOrganization",
      summary: "Retrieve an organization, by slug or id",
      response: api.OrganizationObject,
    },
    put: {
      id: "updateOrganization",
      summary: "Rename an organization",
      body: api.UpdateOrganizationBody,
      response: api.OrganizationObject,
    },
  },
  "/api/v1/organizations/{organization}/members": {
    get: {
      id: "listMembers",
      summary: "List members",
      response: api.ListMembersResponse,
    },
  },
  "/api/v1/organizations/{organization}/members/{userId}": {
    put: {
      id: "changeMemberRole",
      summary: "Change a member's role",
      body: api.ChangeRoleBody,
      response: api.MemberObject,
    },
    delete: {
      id: "removeMember",
      summary: "Remove a member, or leave",
      response: api.MemberObject,
    },
  },
  "/api/v1/organizations/{organization}/invitations": {
    get: {
      id: "listInvitations",
      summary: "List invitations that can still be accepted, newest first",
      response: api.ListInvitationsResponse,
    },
    post: {
      id: "createInvitation",
      summary: "Invite a person by a link, which is also mailed if the server can",
      body: api.CreateInvitationBody,
      response: api.CreateInvitationResponse,
      status: 201,
    },
  },
  "/api/v1/organizations/{organization}/invitations/{id}": {
    delete: {
      id: "revokeInvitation",
      summary: "Revoke an invitation",
      response: api.InvitationObject,
    },
  },
  "/api/v1/invitations/lookup": {
    post: {
      id: "lookUpInvitation",
      summary: "What an invitation's link is about",
      body: api.InvitationTokenBody,
      response: api.InvitationSummary,
    },
  },
  "/api/v1/invitations/accept": {
    post: {
      id: "acceptInvitation",
      summary: "Accept an invitation",
      body: api.InvitationTokenBody,
      response: api.AcceptInvitationResponse,
    },
  },
  "/api/v1/organizations/{organization}/projects": {
    get: {
      id: "listProjects",
      summary: "List projects",
      response: api.ListProjectsResponse,
    },
    post: {
      id: "createProject",
      summary: "Create a project with a production and a development environment",
      body: api.CreateProjectBody,
      response: api.ProjectObject,
      status: 201,
    },
  },
  "/api/v1/organizations/{organization}/audit": {
    get: {
      id: "listAuditLog",
      summary: "Who did what, newest first",
      query: api.ListAuditQuery,
      response: api.ListAuditResponse,
    },
  },
  "/api/v1/organizations/{organization}/audit/export": {
    get: {
      id: "exportAuditLog",
      summary: "The whole audit log, one JSON object a line",
      query: api.ListAuditQuery,
      download: "application/x-ndjson",
    },
  },
  "/api/v1/projects/{ref}": {
    put: {
      id: "updateProject",
      summary: "Rename a project",
      body: api.UpdateProjectBody,
      response: api.ProjectObject,
    },
    delete: {
      id: "deleteProject",
      summary:
        "Delete a project: at once for everybody; its runs are canceled and removed in the minutes after it",
      response: api.DeletedProject,
    },
  },
  "/api/v1/projects/{ref}/deletion": {
    get: {
      id: "countProjectDeletion",
      summary: "What would be deleted with a project",
      response: api.ProjectDeletionCounts,
    },
  },
  "/api/v1/projects/{ref}/environments": {
    get: {
      id: "listProjectEnvironments",
      summary: "List environments of a project, archived branches too",
      response: api.ListEnvironmentsResponse,
    },
    post: {
      id: "createProjectEnvironment",
      summary:
        "Create an environment, a branch, or the caller's own development environment; the one that is there is given back",
      body: api.CreateEnvironmentBody,
      response: api.ProjectEnvironment,
    },
  },
  "/api/v1/projects/{ref}/branches/archive": {
    post: {
      id: "archiveBranch",
      summary: "Archive a branch of the preview environment",
      body: api.ArchiveBranchBody,
      response: api.ProjectEnvironment,
    },
  },
  "/api/v1/projects/{ref}/{env}/limits": {
    put: {
      id: "changeEnvironmentLimits",
      summary: "Change an environment's limits, up to the organization's ceiling; what is absent stays",
      body: api.EnvironmentLimitsBody,
      response: api.EnvironmentResponse,
    },
  },
  "/api/v1/projects/{ref}/envvars/{env}": {
    get: {
      id: "listVariables",
      summary: "List environment variables by name; values of secrets are redacted",
      response: api.ListVariablesResponse,
    },
    post: {
      id: "createVariable",
      summary: "Set an environment variable, new or not",
      body: api.CreateVariableBody,
      response: api.VariablesChanged,
    },
  },
  "/api/v1/projects/{ref}/envvars/{env}/import": {
    post: {
      id: "importVariables",
      summary: "Set many environment variables, all or none; those that are there only with `override`",
      body: api.ImportVariablesBody,
      response: api.VariablesChanged,
    },
  },
  "/api/v1/projects/{ref}/envvars/{env}/{name}": {
    get: {
      id: "retrieveVariable",
      summary: "Retrieve an environment variable",
      response: api.VariableObject,
    },
    put: {
      id: "updateVariable",
      summary: "Change an environment variable that is there",
      body: api.UpdateVariableBody,
      response: api.VariablesChanged,
    },
    delete: {
      id: "deleteVariable",
      summary: "Delete an environment variable",
      response: api.VariablesChanged,
    },
  },
  "/api/v1/organizations/{organization}/encryption/rotate": {
    post: {
      id: "rotateEncryption",
      summary: "Seal all variables of an organization with a new key",
      response: api.RotatedEncryption,
    },
  },
  "/admin/v1/encryption/rewrap": {
    post: {
      id: "rewrapEncryption",
      summary: "Wrap the keys of all organizations with the first of ENCRYPTION_KEYS",
      response: api.RewrappedEncryption,
    },
  },
  "/admin/v1/test-mails": {
    post: {
      id: "sendTestMail",
      summary: "Send a mail to see whether mails arrive",
      body: api.SendTestMailBody,
      response: api.SendTestMailResponse,
    },
  },
  "/admin/v1/sign-in-links": {
    post: {
      id: "createSignInLink",
      summary:
        "A link that signs a person in once; makes the person and their membership where they are missing",
      body: api.CreateSignInLinkBody,
      response: api.CreateSignInLinkResponse,
    },
  },
  "/admin/v1/projects/{ref}/{env}/settings": {
    put: {
      id: "updateEnvironmentSettings",
      summary:
        "Change an environment's limits and its weight when hosts are short. Absent fields keep their values",
      body: api.EnvironmentSettingsBody,
      response: api.EnvironmentResponse,
    },
  },
  "/admin/v1/organizations": {
    get: {
      id: "listOrganizations",
      summary: "All organizations with their members, limits and use",
      query: api.ListOrganizationsQuery,
      response: api.OperatorOrganizationsResponse,
    },
    post: {
      id: "addOrganization",
      summary: "Create an organization without members",
      body: api.OperatorCreateOrganizationBody,
      response: api.OperatorOrganization,
      status: 201,
    },
  },
  "/admin/v1/organizations/{slug}": {
    get: {
      id: "inspectOrganization",
      summary: "One organization with the limits and the use of its environments",
      response: api.OperatorOrganizationDetails,
    },
  },
  "/admin/v1/organizations/{slug}/limits": {
    put: {
      id: "setOrganizationLimits",
      summary:
        "Set an organization's share when hosts are short, and how many runs each of its environments may execute at once. Absent fields keep their values",
      body: api.OrganizationLimitsBody,
      response: api.OrganizationLimitsResponse,
    },
  },
  "/admin/v1/rebuild": {
    post: {
      id: "rebuildQuerySide",
      summary:
        "Have all queues send their runs to the query side again, or tell how far they are: sent again with the same id, it goes on",
      body: api.RebuildBody,
      response: api.RebuildResponse,
    },
  },
  "/admin/v1/audit": {
    get: {
      id: "listOperatorAudit",
      summary: "What was done to the server as a whole, or to one organization; newest first",
      query: api.OperatorAuditQuery,
      response: api.ListAuditResponse,
    },
  },
  "/api/v1/live": {
    get: {
      id: "connectLive",
      summary:
        "Opens a WebSocket for live subscriptions (subprotocol acme.live.1; see the SDK's contract/live.ts)",
      download: "application/json",
    },
  },
  "/realtime/v1/runs/{runId}": {
    get: {
      id: "watchRun",
      summary: "One run and its changes, by the Electric protocol (for @trigger.dev/sdk and react-hooks)",
      download: "application/json",
    },
  },
  "/realtime/v1/runs": {
    get: {
      id: "watchRuns",
      summary: "Runs with tags and their changes, by the Electric protocol",
      download: "application/json",
    },
  },
  "/realtime/v1/batches/{batchId}": {
    get: {
      id: "watchBatch",
      summary: "Runs of a batch and their changes, by the Electric protocol",
      download: "application/json",
    },
  },
  "/realtime/v1/streams/{runId}/{target}/{key}": {
    put: {
      id: "createStream",
      summary:
        "Creates a stream of a run (target: self, parent or root) and says which protocol writes to it",
      download: "application/json",
      status: 202,
    },
    post: {
      id: "writeStream",
      summary: "Appends to a stream: newline-delimited JSON, a chunk a line, stored as it comes",
      download: "application/json",
    },
    get: {
      id: "getStreamPosition",
      summary: "How far a writer's lines are stored, in the header X-Last-Chunk-Index (also by HEAD)",
      download: "application/json",
    },
  },
  "/realtime/v1/streams/{runId}/{target}/{key}/append": {
    post: {
      id: "appendToStream",
      summary: "Appends the body, as text, to a stream of a run",
      download: "application/json",
    },
  },
  "/realtime/v1/streams/{runId}/{key}": {
    get: { id: "readStream", summary: "A stream as server-sent events", download: "text/event-stream" },
  },
  "/realtime/v1/streams/{runId}/input/{key}": {
    post: { id: "sendInput", summary: "Sends a value to a running task", download: "application/json" },
    get: {
      id: "readInput",
      summary: "What was sent to a task, as server-sent events",
      download: "text/event-stream",
    },
  },
  "/api/v1/runs/{runId}/input-streams/wait": {
    post: {
      id: "waitForInput",
      summary: "Creates a token that the next value sent to a task completes",
      download: "application/json",
    },
  },
  "/healthz": {
    get: {
      id: "checkHealth",
      summary: "Whether an object and the database answer; 503 if not",
      response: api.HealthResponse,
    },
  },
  "/openapi.json": {
    get: { id: "getOpenApi", summary: "This document", download: "application/json" },
  },
};
