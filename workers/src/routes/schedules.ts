import { preview, type ScheduleError, type ScheduleRecord, zoneNames } from "@acme/durable-objects/schedules";
import {
  CreateScheduleBody,
  ListSchedulesQuery,
  PreviewCronQuery,
  type PreviewCronResponse,
  TimezonesQuery,
  UpdateScheduleBody,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { deedIn } from "../control/audit.ts";
import { readBody } from "../http/body.ts";
import { Failure, invalid } from "../http/failure.ts";
import { schedulesOf } from "../objects.ts";
import { generatorOf, scheduleView } from "../views/schedule-view.ts";
import { isoTime } from "../views/time.ts";

const PATH = "/api/v1/schedules";

export const scheduleRoutes = new Hono<App>()
  .post(PATH, access("createSchedule"), async (c) => {
    const { environment } = c.var;
    const body = await readBody(c, CreateScheduleBody);
    const { task, cron, timezone, externalId, deduplicationKey } = body;
    const schedule = await changed(
      c,
      "schedule.created_or_updated",
      deduplicationKey,
      () => schedulesOf(c.env, environment.key).createSchedule(environment, body),
      { task, cron, timezone, externalId },
    );
    return c.json(scheduleView(schedule, environment));
  })
  .get(PATH, access("listSchedules"), async (c) => {
    const { environment } = c.var;
    const query = ListSchedulesQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { page = 1, perPage = 20 } = query.data;
    const { schedules, count } = await schedulesOf(c.env, environment.key).listSchedules(page, perPage);
    return c.json({
      data: schedules.map((schedule) => scheduleView(schedule, environment)),
      pagination: { currentPage: page, totalPages: Math.ceil(count / perPage), count },
    });
  })
  .get(`${PATH}/:id`, access("retrieveSchedule"), async (c) => {
    const { environment } = c.var;
    const id = c.req.param("id");
    const schedule = await schedulesOf(c.env, environment.key).retrieveSchedule(id);
    if (!schedule) {
      throw new Failure(404, "schedule_not_found", `Schedule ${id} was not found in this environment.`);
    }
    return c.json(scheduleView(schedule, environment));
  })
  .put(`${PATH}/:id`, access("updateSchedule"), async (c) => {
    const { environment } = c.var;
    const body = await readBody(c, UpdateScheduleBody);
    const id = c.req.param("id");
    const { task, cron, timezone, externalId } = body;
    const schedule = await changed(
      c,
      "schedule.updated",
      id,
      () => schedulesOf(c.env, environment.key).updateSchedule(id, body),
      { task, cron, timezone, externalId },
    );
    return c.json(scheduleView(schedule, environment));
  })
  .delete(`${PATH}/:id`, access("deleteSchedule"), async (c) => {
    const { environment } = c.var;
    const id = c.req.param("id");
    const deleted = await changed(c, "schedule.deleted", id, () =>
      schedulesOf(c.env, environment.key).deleteSchedule(id),
    );
    return c.json(deleted);
  })
  .post(`${PATH}/:id/activate`, access("activateSchedule"), (c) => setActive(c, c.req.param("id"), true))
  .post(`${PATH}/:id/deactivate`, access("deactivateSchedule"), (c) => setActive(c, c.req.param("id"), false))
  .get("/api/v1/cron-preview", access("previewCron"), (c) => {
    const query = PreviewCronQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { cron, timezone = "UTC", after } = query.data;
    const ticks = preview({ cron, timezone }, after === undefined ? Date.now() : Date.parse(after));
    if ("error" in ticks) throw new Failure(422, ticks.error, ticks.message);
    return c.json({
      generator: generatorOf(cron),
      timezone,
      ticks: ticks.map(({ at, offsetMinutes }) => ({ at: isoTime(at), offsetMinutes })),
    } satisfies PreviewCronResponse);
  })
  // No key is required, as in Trigger.dev's API: the response is the same for everyone.
  .get("/api/v1/timezones", access("listTimezones"), (c) => {
    const query = TimezonesQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const names = zoneNames();
    return c.json({ timezones: query.data.excludeUtc === "true" ? names.slice(1) : names });
  });

async function setActive(c: Context<App>, id: string, active: boolean): Promise<Response> {
  const { environment } = c.var;
  const schedule = await changed(c, active ? "schedule.activated" : "schedule.deactivated", id, () =>
    schedulesOf(c.env, environment.key).setScheduleActive(id, active),
  );
  return c.json(scheduleView(schedule, environment));
}

/** Changes a schedule, with its entry in the audit log. Throws as `done`. */
function changed<T extends ScheduleRecord | { id: string }>(
  c: Context<App>,
  action: string,
  id: string,
  call: () => Promise<T | ScheduleError>,
  details: Record<string, unknown> = {},
): Promise<T> {
  const target = { type: "schedule", id: id.slice(0, 256) };
  return announced(
    c,
    deedIn(c.var.environment, { action, target, details }),
    async () => done(await call()),
    (schedule) => ({ id: schedule.id }),
  );
}

/** Returns the result of a call. Throws a 404 or 422 for an error. */
function done<T extends ScheduleRecord | { id: string }>(answer: T | ScheduleError): T {
  if (!("error" in answer)) return answer;
  throw new Failure(answer.error === "schedule_not_found" ? 404 : 422, answer.error, answer.message);
}
