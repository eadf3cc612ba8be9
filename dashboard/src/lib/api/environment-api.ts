import type { EnvironmentHost } from "@acme/sdk/contract";
import type {
  AttemptsResponse,
  BatchSummary,
  BuildLogResponse,
  BulkActionResource,
  ConcurrencyLimitItem,
  ConcurrencyLimitKeyItem,
  MetricsPoint as ContractMetricsPoint,
  RunMetrics as ContractRunMetrics,
  CountLogsResponse,
  CreateBulkActionBody,
  DeploymentBody,
  EnvironmentResponse,
  ErrorGroupDetail,
  ErrorGroupListItem,
  EventsResponse,
  IgnoreErrorBody,
  ListBatchesResponse,
  ListBulkActionsResponse,
  ListConcurrencyLimitsResponse,
  ListErrorsResponse,
  ListQueuesResponse,
  ListRunsResponse,
  ListSchedulesResponse,
  ListTokensResponse,
  MetricsResponse,
  PreviewCronResponse,
  QueryBody,
  QueryResponse,
  QuerySchemaResponse,
  QueueItem,
  QueueMetrics,
  ReplayBody,
  RetrieveBatchResponse,
  RetrieveDeploymentResponse,
  RetrieveRunResponse,
  RetrieveTokenResponse,
  RunSummary,
  ScheduleObject,
  SearchLogsResponse,
  SpanResponse,
  TokenLink,
  TracePageResponse,
  TracePageSpan,
  TriggerBody,
  TriggerResponse,
  UpdateScheduleBody,
  UsageResponse,
  WhyResponse,
} from "@acme/sdk/contract/api";
import type { z } from "zod";
import { type RequestOptions, request } from "./request.ts";

export type { TokenLink } from "@acme/sdk/contract/api";
export type RunListItem = RunSummary;
export type RunListPage = z.infer<typeof ListRunsResponse>;
export type RunDetail = RetrieveRunResponse;
export type MetricsPoint = ContractMetricsPoint;
export type RunMetrics = ContractRunMetrics;
export type QueryResult = QueryResponse;
export type LogLevelName = SearchLogsResponse["logs"][number]["level"];
export type ErrorGroup = ErrorGroupListItem;
export type ErrorDetail = ErrorGroupDetail;
export type RecordedSpan = TracePageSpan;
export type SpanDetail = SpanResponse;
export type RunEvent = z.infer<typeof EventsResponse>["events"][number];
export type Attempt = z.infer<typeof AttemptsResponse>["attempts"][number];
export type Deployment = DeploymentBody;
export type Queue = QueueItem;
export type ConcurrencyLimit = ConcurrencyLimitItem;
export type ConcurrencyLimitKey = ConcurrencyLimitKeyItem;
export type Schedule = ScheduleObject;
export type CronPreview = PreviewCronResponse;
export type Token = RetrieveTokenResponse;
export type Batch = BatchSummary;
export type BatchDetail = RetrieveBatchResponse;
export type BulkAction = BulkActionResource;
export type Host = EnvironmentHost;

type Query = Record<string, string | number | boolean | undefined>;

const limitPath = (name: string): string => `/api/v1/concurrency-limits/${encodeURIComponent(name)}`;

/** The API of one environment, with the common parts of all calls. */
export class EnvironmentApi {
  constructor(
    /** The environment's id. */
    readonly id: string,
    /** `PROJECTREF/SLUG`, as the project routes' paths name it. */
    readonly path: string,
  ) {}

  private call<T>(path: string, options: RequestOptions = {}): Promise<T> {
    return request<T>(path, { ...options, environment: this.id });
  }

  private post<T>(path: string, body: unknown = {}): Promise<T> {
    return this.call<T>(path, { method: "POST", body });
  }

  listRuns(query: Query, signal?: AbortSignal): Promise<RunListPage> {
    return this.call("/api/v1/runs", { query, signal });
  }
  retrieveRun(id: string, signal?: AbortSignal): Promise<RunDetail> {
    return this.call(`/api/v3/runs/${encodeURIComponent(id)}`, { signal });
  }
  async listRunEvents(id: string, signal?: AbortSignal): Promise<RunEvent[]> {
    const path = `/api/v1/runs/${encodeURIComponent(id)}/events`;
    return (await this.call<{ events: RunEvent[] }>(path, { signal })).events;
  }
  /** The spans of the trace that a run is part of: at most `pages` pages of them. */
  async listSpans(
    id: string,
    pages: number,
    signal?: AbortSignal,
  ): Promise<{ spans: RecordedSpan[]; truncated: boolean }> {
    const path = `/api/v1/runs/${encodeURIComponent(id)}/trace`;
    const spans: RecordedSpan[] = [];
    let after: string | undefined;
    for (let page = 0; page < pages; page++) {
      const query = { "page[size]": 10_000, "page[after]": after };
      const answer = await this.call<TracePageResponse>(path, { query, signal });
      spans.push(...answer.data);
      after = answer.pagination.next;
      if (after === undefined) return { spans, truncated: answer.pagination.truncated === true };
    }
    return { spans, truncated: true };
  }
  retrieveSpan(runId: string, spanId: string, signal?: AbortSignal): Promise<SpanResponse> {
    return this.call(`/api/v1/runs/${encodeURIComponent(runId)}/spans/${encodeURIComponent(spanId)}`, {
      signal,
    });
  }
  async listAttempts(id: string, signal?: AbortSignal): Promise<Attempt[]> {
    const path = `/api/v1/runs/${encodeURIComponent(id)}/attempts`;
    return (await this.call<{ attempts: Attempt[] }>(path, { signal })).attempts;
  }
  searchLogs(query: Query, signal?: AbortSignal): Promise<SearchLogsResponse> {
    return this.call("/api/v1/logs", { query, signal });
  }
  countLogs(query: Query, signal?: AbortSignal): Promise<CountLogsResponse> {
    return this.call("/api/v1/logs/histogram", { query, signal });
  }
  query(body: z.input<typeof QueryBody>, signal?: AbortSignal): Promise<QueryResult> {
    return this.call("/api/v1/query", { method: "POST", body, signal });
  }
  querySchema(signal?: AbortSignal): Promise<z.infer<typeof QuerySchemaResponse>> {
    return this.call("/api/v1/query/schema", { signal });
  }
  runMetrics(query: Query, signal?: AbortSignal): Promise<MetricsResponse> {
    return this.call("/api/v1/metrics/runs", { query, signal });
  }
  usage(query: Query, signal?: AbortSignal): Promise<UsageResponse> {
    return this.call("/api/v1/usage", { query, signal });
  }
  listErrors(query: Query, signal?: AbortSignal): Promise<z.infer<typeof ListErrorsResponse>> {
    return this.call("/api/v1/errors", { query, signal });
  }
  retrieveError(id: string, query: Query, signal?: AbortSignal): Promise<ErrorDetail> {
    return this.call(`/api/v1/errors/${encodeURIComponent(id)}`, { query, signal });
  }
  resolveError(id: string): Promise<ErrorDetail> {
    return this.post(`/api/v1/errors/${encodeURIComponent(id)}/resolve`);
  }
  ignoreError(id: string, body: z.input<typeof IgnoreErrorBody>): Promise<ErrorDetail> {
    return this.post(`/api/v1/errors/${encodeURIComponent(id)}/ignore`, body);
  }
  unresolveError(id: string): Promise<ErrorDetail> {
    return this.post(`/api/v1/errors/${encodeURIComponent(id)}/unresolve`);
  }

  createBulkAction(body: z.input<typeof CreateBulkActionBody>): Promise<{ id: string }> {
    return this.post("/api/v1/bulk-actions", body);
  }
  listBulkActions(
    after: string | undefined,
    signal?: AbortSignal,
  ): Promise<z.infer<typeof ListBulkActionsResponse>> {
    return this.call("/api/v1/bulk-actions", { query: { "page[size]": 50, "page[after]": after }, signal });
  }
  retrieveBulkAction(id: string, signal?: AbortSignal): Promise<BulkActionResource> {
    return this.call(`/api/v1/bulk-actions/${encodeURIComponent(id)}`, { signal });
  }
  abortBulkAction(id: string): Promise<unknown> {
    return this.post(`/api/v1/bulk-actions/${encodeURIComponent(id)}/abort`);
  }

  why(id: string, signal?: AbortSignal): Promise<WhyResponse> {
    return this.call(`/api/v1/runs/${encodeURIComponent(id)}/why`, { signal });
  }
  cancelRun(id: string): Promise<{ id: string }> {
    return this.post(`/api/v2/runs/${encodeURIComponent(id)}/cancel`);
  }
  replayRun(id: string, body: z.input<typeof ReplayBody> = {}): Promise<{ id: string }> {
    return this.post(`/api/v1/runs/${encodeURIComponent(id)}/replay`, body);
  }
  rescheduleRun(id: string, delay: string): Promise<RunDetail> {
    return this.post(`/api/v1/runs/${encodeURIComponent(id)}/reschedule`, { delay });
  }
  trigger(task: string, body: z.input<typeof TriggerBody>): Promise<TriggerResponse> {
    return this.post(`/api/v1/tasks/${encodeURIComponent(task)}/trigger`, body);
  }

  listLimits(page: number, signal?: AbortSignal): Promise<z.infer<typeof ListConcurrencyLimitsResponse>> {
    return this.call("/api/v1/concurrency-limits", { query: { page, perPage: 100 }, signal });
  }
  retrieveLimitKey(name: string, concurrencyKey: string, signal?: AbortSignal): Promise<ConcurrencyLimitKey> {
    return this.call(limitPath(name), { query: { concurrencyKey }, signal });
  }
  overrideLimit(
    name: string,
    body: { total?: number; perKey?: number; concurrencyKey?: string },
  ): Promise<unknown> {
    return this.post(`${limitPath(name)}/override`, body);
  }
  pauseLimit(name: string, action: "pause" | "resume"): Promise<unknown> {
    return this.post(`${limitPath(name)}/pause`, { action });
  }
  /** With a key, only the override of that key. */
  resetLimit(name: string, concurrencyKey?: string): Promise<unknown> {
    return this.post(`${limitPath(name)}/reset`, concurrencyKey === undefined ? {} : { concurrencyKey });
  }
  listQueues(page: number, signal?: AbortSignal): Promise<z.infer<typeof ListQueuesResponse>> {
    return this.call("/api/v1/queues", { query: { page, perPage: 100 }, signal });
  }
  queueMetrics(id: string, period: string, signal?: AbortSignal): Promise<QueueMetrics> {
    return this.call(`/api/v1/queues/${encodeURIComponent(id)}/metrics`, { query: { period }, signal });
  }
  pauseQueue(id: string, action: "pause" | "resume"): Promise<Queue> {
    return this.post(`/api/v1/queues/${encodeURIComponent(id)}/pause`, { action });
  }
  overrideConcurrency(id: string, concurrencyLimit: number): Promise<Queue> {
    return this.post(`/api/v1/queues/${encodeURIComponent(id)}/concurrency/override`, { concurrencyLimit });
  }
  resetConcurrency(id: string): Promise<Queue> {
    return this.post(`/api/v1/queues/${encodeURIComponent(id)}/concurrency/reset`, {});
  }

  listSchedules(page: number, signal?: AbortSignal): Promise<z.infer<typeof ListSchedulesResponse>> {
    return this.call("/api/v1/schedules", { query: { page, perPage: 100 }, signal });
  }
  previewCron(cron: string, timezone: string, signal?: AbortSignal): Promise<CronPreview> {
    return this.call("/api/v1/cron-preview", { query: { cron, timezone }, signal });
  }
  createSchedule(body: UpdateScheduleBody & { deduplicationKey: string }): Promise<Schedule> {
    return this.post("/api/v1/schedules", body);
  }
  updateSchedule(id: string, body: UpdateScheduleBody): Promise<Schedule> {
    return this.call(`/api/v1/schedules/${encodeURIComponent(id)}`, { method: "PUT", body });
  }
  deleteSchedule(id: string): Promise<unknown> {
    return this.call(`/api/v1/schedules/${encodeURIComponent(id)}`, { method: "DELETE" });
  }
  setScheduleActive(id: string, active: boolean): Promise<Schedule> {
    return this.post(`/api/v1/schedules/${encodeURIComponent(id)}/${active ? "activate" : "deactivate"}`);
  }

  listTokens(query: Query, signal?: AbortSignal): Promise<z.infer<typeof ListTokensResponse>> {
    return this.call("/api/v1/waitpoints/tokens", { query, signal });
  }
  retrieveToken(id: string, signal?: AbortSignal): Promise<Token> {
    return this.call(`/api/v1/waitpoints/tokens/${encodeURIComponent(id)}`, { signal });
  }
  createTokenLink(id: string, expiresIn: string): Promise<TokenLink> {
    return this.post(`/api/v1/waitpoints/tokens/${encodeURIComponent(id)}/links`, { expiresIn });
  }
  completeToken(id: string, data: unknown): Promise<unknown> {
    return this.post(`/api/v1/waitpoints/tokens/${encodeURIComponent(id)}/complete`, { data });
  }

  listBatches(after: string | undefined, signal?: AbortSignal): Promise<z.infer<typeof ListBatchesResponse>> {
    return this.call("/api/v1/batches", { query: { "page[size]": 50, "page[after]": after }, signal });
  }
  retrieveBatch(id: string, signal?: AbortSignal): Promise<BatchDetail> {
    return this.call(`/api/v2/batches/${encodeURIComponent(id)}`, { signal });
  }

  async listHosts(signal?: AbortSignal): Promise<Host[]> {
    return (await this.call<{ data: Host[] }>(`/api/v1/projects/${this.path}/hosts`, { signal })).data;
  }

  async listDeployments(signal?: AbortSignal): Promise<Deployment[]> {
    const path = `/api/v1/projects/${this.path}/deployments`;
    return (await this.call<{ data: Deployment[] }>(path, { signal })).data;
  }
  retrieveDeployment(version: string, signal?: AbortSignal): Promise<RetrieveDeploymentResponse> {
    return this.call(`/api/v1/projects/${this.path}/deployments/${encodeURIComponent(version)}`, { signal });
  }
  async listBuildLog(id: string, signal?: AbortSignal): Promise<BuildLogResponse["data"]> {
    return (
      await this.call<BuildLogResponse>(`/api/v1/deployments/${encodeURIComponent(id)}/build-log`, { signal })
    ).data;
  }
  promoteDeployment(version: string): Promise<Deployment> {
    return this.post(`/api/v1/projects/${this.path}/deployments/${encodeURIComponent(version)}/promote`);
  }
  retrieveEnvironment(signal?: AbortSignal): Promise<EnvironmentResponse> {
    return this.call(`/api/v1/projects/${this.path}`, { signal });
  }
  setPaused(paused: boolean): Promise<EnvironmentResponse> {
    return this.post(`/api/v1/projects/${this.path}/${paused ? "pause" : "resume"}`);
  }
}
