import type { RateLimit } from "../define/queue.ts";
import { ApiPromise } from "./api-promise.ts";
import { OffsetLimitPagePromise, type OffsetPageBody } from "./offset-page.ts";
import { type ApiResponse, request } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";

const PATH = "/api/v1/queues";

/** A queue's id, or its type and name. The name of a task's own queue (type `task`) is the task's id. */
export type RetrieveQueueParam = string | { type: "task" | "custom"; name: string };

/**
 * A limit: the effective value, the one declared in code (`base`), and the one set through the API. Null: no
 * limit.
 */
export interface QueueLimit<T> {
  current: T | null;
  base: T | null;
  override: T | null;
  overriddenAt: Date | null;
  overriddenBy: string | null;
}

export interface QueueItem {
  id: string;
  /** The name of a task's own queue is the task's id. */
  name: string;
  type: "task" | "custom";
  /** How many runs hold a slot. */
  running: number;
  /** How many runs wait for a slot. */
  queued: number;
  /** How many runs are delayed, or wait for a deployment. */
  delayed: number;
  paused: boolean;
  /** The effective limit per concurrency key. */
  concurrencyLimit: number | null;
  version: "V1";
  concurrency: QueueLimit<number>;
  totalConcurrency: QueueLimit<number>;
  rateLimit: QueueLimit<RateLimit>;
  rateLimitPerKey: QueueLimit<RateLimit>;
  /** How many objects new runs are spread over. */
  partitions: QueueLimit<number>;
}

export interface ListQueueOptions {
  /** From 1. */
  page?: number;
  /** Default 25, at most 100. */
  perPage?: number;
}

export function listQueuePages(
  params: ListQueueOptions,
  options?: ApiRequestOptions,
): OffsetLimitPagePromise<QueueItem> {
  const fetchPage = (page: number) => listQueuePages({ ...params, page }, options);
  return new OffsetLimitPagePromise(fetchQueuePage(params, options), fetchPage);
}

async function fetchQueuePage(
  { page, perPage }: ListQueueOptions,
  options: ApiRequestOptions | undefined,
): Promise<ApiResponse<OffsetPageBody<QueueItem>>> {
  const query = new URLSearchParams();
  if (page !== undefined) query.set("page", String(page));
  if (perPage !== undefined) query.set("perPage", String(perPage));
  const path = query.size > 0 ? `${PATH}?${query}` : PATH;
  const { data, response } = await request<OffsetPageBody<QueueItem>>({ method: "GET", path }, options);
  return { data: { ...data, data: data.data.map(withDates) }, response };
}

export function getQueue(queue: RetrieveQueueParam, options?: ApiRequestOptions): ApiPromise<QueueItem> {
  const { type, path } = addressOf(queue);
  return item(request<QueueItem>({ method: "GET", path: `${path}?type=${type}` }, options));
}

export interface QueueMetricsPoint {
  /** When the point's interval begins. */
  time: Date;
  /** The largest numbers of runs that waited, and that held a slot, at the same time. */
  queued: number;
  running: number;
  /** Runs that were started for the first time, and runs that ended. */
  started: number;
  ended: number;
  /** Median and 95th percentile of how long the started runs had waited. Null: no run was started. */
  delayP50Ms: number | null;
  delayP95Ms: number | null;
}

/** A queue's activity over time. */
export interface QueueMetrics {
  /** Length of each point's interval, in minutes. */
  resolutionMinutes: number;
  /** Totals of the whole period. */
  delayP50Ms: number | null;
  delayP95Ms: number | null;
  points: QueueMetricsPoint[];
}

export interface QueueMetricsOptions {
  /** How far back, in whole minutes: `"30m"`, `"24h"` (the most). Default: `"1h"`. */
  period?: string;
  /**
   * The interval of one point: `"1m"`, `"15m"`. Default: an interval that gives 60 points. At most 300
   * points.
   */
  resolution?: string;
}

export function getQueueMetrics(
  queue: RetrieveQueueParam,
  { period, resolution }: QueueMetricsOptions,
  options?: ApiRequestOptions,
): ApiPromise<QueueMetrics> {
  const { type, path } = addressOf(queue);
  const query = new URLSearchParams({ type });
  if (period !== undefined) query.set("period", period);
  if (resolution !== undefined) query.set("resolution", resolution);
  const metrics = async () => {
    const call = { method: "GET", path: `${path}/metrics?${query}` } as const;
    const { data, response } = await request<QueueMetrics>(call, options);
    const points = data.points.map((point) => ({ ...point, time: new Date(point.time) }));
    return { data: { ...data, points }, response };
  };
  return new ApiPromise(metrics());
}

/** Changes a queue. `change` is the end of the path, and the body without the queue's type. */
export function postQueue(
  queue: RetrieveQueueParam,
  change: { path: string; body?: object },
  options?: ApiRequestOptions,
): ApiPromise<QueueItem> {
  const { type, path } = addressOf(queue);
  const call = { method: "POST", path: `${path}/${change.path}`, body: { type, ...change.body } } as const;
  return item(request<QueueItem>(call, options));
}

function addressOf(queue: RetrieveQueueParam): { type: string; path: string } {
  const { type, name } = typeof queue === "string" ? { type: "id", name: queue } : queue;
  return { type, path: `${PATH}/${encodeURIComponent(name)}` };
}

const item = (response: Promise<ApiResponse<QueueItem>>): ApiPromise<QueueItem> =>
  new ApiPromise(response.then(({ data, response: raw }) => ({ data: withDates(data), response: raw })));

/** JSON has no dates. */
function withDates(queue: QueueItem): QueueItem {
  const limit = <T>(value: QueueLimit<T>): QueueLimit<T> => ({
    ...value,
    overriddenAt: value.overriddenAt && new Date(value.overriddenAt),
  });
  const { concurrency, totalConcurrency, rateLimit, rateLimitPerKey, partitions } = queue;
  return {
    ...queue,
    concurrency: limit(concurrency),
    totalConcurrency: limit(totalConcurrency),
    rateLimit: limit(rateLimit),
    rateLimitPerKey: limit(rateLimitPerKey),
    partitions: limit(partitions),
  };
}
