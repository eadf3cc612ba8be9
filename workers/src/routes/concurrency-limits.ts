import type { LimitChange } from "@acme/durable-objects/rpc";
import {
  type ConcurrencyLimitItem,
  type ConcurrencyLimitKeyItem,
  ListConcurrencyLimitsQuery,
  type ListConcurrencyLimitsResponse,
  OverrideConcurrencyLimitBody,
  PauseConcurrencyLimitBody,
  ResetConcurrencyLimitBody,
  RetrieveConcurrencyLimitQuery,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import type { z } from "zod";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { announced } from "../control/announced.ts";
import { deedIn } from "../control/audit.ts";
import { readBody, readRequiredBody } from "../http/body.ts";
import { Failure, invalid } from "../http/failure.ts";
import { environmentObjectOf } from "../objects.ts";
import { limitKeyView, limitView } from "../views/limit-view.ts";

const PATH = "/api/v1/concurrency-limits";
const PER_PAGE = 25;

/** Routes for named concurrency limits, which the runs of several tasks hold. */
export const concurrencyLimitRoutes = new Hono<App>()
  .get(PATH, access("listConcurrencyLimits"), async (c) => {
    const query = ListConcurrencyLimitsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { page = 1, perPage = PER_PAGE } = query.data;
    const owner = environmentObjectOf(c.env, c.var.environment.key);
    const { limits, count } = await owner.listLimits((page - 1) * perPage, perPage);
    const answer: z.output<typeof ListConcurrencyLimitsResponse> = {
      data: limits.map(limitView),
      pagination: { currentPage: page, totalPages: Math.ceil(count / perPage), count },
    };
    return c.json(answer);
  })
  .get(`${PATH}/:name`, access("retrieveConcurrencyLimit"), async (c) => {
    const query = RetrieveConcurrencyLimitQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    return c.json(await retrieve(c, c.req.param("name"), query.data.concurrencyKey));
  })
  .post(`${PATH}/:name/override`, access("overrideConcurrencyLimit"), async (c) => {
    const { concurrencyKey, perKey, total, ttl } = await readRequiredBody(c, OverrideConcurrencyLimitBody);
    const change: LimitChange =
      concurrencyKey === undefined
        ? { type: "override", perKey, total }
        : { type: "override-key", key: concurrencyKey, perKey: perKey as number, ttlMs: ttl };
    return changed(c, c.req.param("name"), change, concurrencyKey);
  })
  .post(`${PATH}/:name/pause`, access("pauseConcurrencyLimit"), async (c) => {
    const { action } = await readRequiredBody(c, PauseConcurrencyLimitBody);
    return changed(c, c.req.param("name"), { type: "pause", paused: action === "pause" });
  })
  .post(`${PATH}/:name/reset`, access("resetConcurrencyLimit"), async (c) => {
    const { concurrencyKey: key } = await readBody(c, ResetConcurrencyLimitBody);
    const change: LimitChange = key === undefined ? { type: "reset" } : { type: "reset-key", key };
    return changed(c, c.req.param("name"), change, key);
  });

async function changed(c: Context<App>, name: string, change: LimitChange, key?: string): Promise<Response> {
  const { environment } = c.var;
  await retrieve(c, name, key);
  await announced(c, deedIn(environment, deedOf(name, change)), async () => {
    const result = await environmentObjectOf(c.env, environment.key).changeLimit(name, change);
    if (result === "not_found") throw limitNotFound(c, name);
    if (result === "ok") return;
    throw new Failure(
      409,
      "too_many_overrides",
      `As many keys of concurrency limit "${name.slice(0, 128)}" are overridden as may be. Reset some. Nothing was changed.`,
    );
  });
  return c.json(await retrieve(c, name, key));
}

function deedOf(name: string, change: LimitChange) {
  const target = { type: "concurrency_limit", id: name };
  switch (change.type) {
    case "pause":
      return { action: change.paused ? "concurrency_limit.paused" : "concurrency_limit.resumed", target };
    case "override":
    case "override-key": {
      const { type: _, ...details } = change;
      return { action: "concurrency_limit.overridden", target, details };
    }
    case "reset":
      return { action: "concurrency_limit.reset", target };
    case "reset-key":
      return { action: "concurrency_limit.reset", target, details: { key: change.key } };
  }
}

async function retrieve(
  c: Context<App>,
  name: string,
  key: string | undefined,
): Promise<ConcurrencyLimitItem | ConcurrencyLimitKeyItem> {
  const owner = environmentObjectOf(c.env, c.var.environment.key);
  if (key === undefined) {
    const state = await owner.findLimit(name);
    if (state) return limitView(state);
  } else {
    const state = await owner.findLimitKey(name, key);
    if (state) return limitKeyView(state);
  }
  throw limitNotFound(c, name);
}

const limitNotFound = (c: Context<App>, name: string): Failure =>
  new Failure(
    404,
    "concurrency_limit_not_found",
    `There is no concurrency limit "${name.slice(0, 128)}" in environment "${c.var.environment.slug}": the current deployment does not declare it. Declare it with concurrencyLimit(), and deploy. Nothing was changed.`,
  );
