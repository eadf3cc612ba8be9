import type {
  CreateScheduleOptions,
  ListScheduleOptions,
  ScheduleObject,
  UpdateScheduleOptions,
} from "../manage/schedule-types.ts";
import { ApiPromise } from "./api-promise.ts";
import { OffsetLimitPagePromise, type OffsetPageBody } from "./offset-page.ts";
import { type ApiCall, type ApiResponse, request } from "./request.ts";
import type { ApiRequestOptions } from "./request-options.ts";

const PATH = "/api/v1/schedules";

const pathOf = (id: string): string => `${PATH}/${encodeURIComponent(id)}`;

export const postSchedule = (body: CreateScheduleOptions, options?: ApiRequestOptions) =>
  call({ method: "POST", path: PATH, body }, options);

export const getSchedule = (id: string, options?: ApiRequestOptions) =>
  call({ method: "GET", path: pathOf(id) }, options);

export const putSchedule = (id: string, body: UpdateScheduleOptions, options?: ApiRequestOptions) =>
  call({ method: "PUT", path: pathOf(id), body }, options);

export const postActive = (id: string, active: boolean, options?: ApiRequestOptions) =>
  call({ method: "POST", path: `${pathOf(id)}/${active ? "activate" : "deactivate"}` }, options);

export const deleteSchedule = (id: string, options?: ApiRequestOptions): ApiPromise<{ id: string }> =>
  new ApiPromise(request<{ id: string }>({ method: "DELETE", path: pathOf(id) }, options));

export const getTimezones = (
  excludeUtc: boolean,
  options?: ApiRequestOptions,
): ApiPromise<{ timezones: string[] }> => {
  const path = `/api/v1/timezones${excludeUtc ? "?excludeUtc=true" : ""}`;
  return new ApiPromise(request<{ timezones: string[] }>({ method: "GET", path }, options));
};

export function listSchedulePages(
  params: ListScheduleOptions,
  options?: ApiRequestOptions,
): OffsetLimitPagePromise<ScheduleObject> {
  const query = new URLSearchParams();
  if (params.page) query.set("page", String(params.page));
  if (params.perPage) query.set("perPage", String(params.perPage));
  const path = query.size > 0 ? `${PATH}?${query}` : PATH;
  const page = request<OffsetPageBody<ScheduleObject>>({ method: "GET", path }, options);
  return new OffsetLimitPagePromise(
    page.then(({ data, response }) => ({ data: { ...data, data: data.data.map(withDates) }, response })),
    (next) => listSchedulePages({ ...params, page: next }, options),
  );
}

function call(apiCall: ApiCall, options: ApiRequestOptions | undefined): ApiPromise<ScheduleObject> {
  return new ApiPromise(
    request<ScheduleObject>(apiCall, options).then(
      ({ data, response }): ApiResponse<ScheduleObject> => ({ data: withDates(data), response }),
    ),
  );
}

function withDates(schedule: ScheduleObject): ScheduleObject {
  const date = (time: Date | undefined) => (time === undefined ? undefined : new Date(time));
  const { nextRun, nextRunEffectiveAt, lastRun } = schedule;
  return {
    ...schedule,
    nextRun: date(nextRun),
    nextRunEffectiveAt: date(nextRunEffectiveAt),
    lastRun: date(lastRun),
  };
}
