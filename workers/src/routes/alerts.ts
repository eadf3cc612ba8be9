import { newId } from "@acme/sdk/contract";
import {
  ALERT_LIMITS,
  type AlertChannel,
  type AlertRule,
  AlertRuleBody,
  CreateAlertChannelBody,
  type CreatedAlertChannel,
  ListAlertDeliveriesQuery,
} from "@acme/sdk/contract/api";
import { and, eq } from "drizzle-orm";
import { type Context, Hono } from "hono";
import {
  type ChannelRow,
  destinationOf,
  type RuleRow,
  sealChannel,
  selectChannels,
  selectRules,
  shownTarget,
} from "../alerts/channels.ts";
import { alertsOf, forgetWanted } from "../alerts/projection.ts";
import { urlProblem } from "../alerts/safe-url.ts";
import { mayGoAnywhere } from "../alerts/send.ts";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { auditStatement, deedIn } from "../control/audit.ts";
import { readRequiredBody } from "../http/body.ts";
import { Failure, invalid } from "../http/failure.ts";
import { openSql, required, type Statement } from "../storage/sql-connection.ts";
import { isoTime } from "../views/time.ts";

const CHANNELS = "/api/v1/alerts/channels";
const RULES = "/api/v1/alerts/rules";

export const alertRoutes = new Hono<App>()
  .get(CHANNELS, access("listAlertChannels"), async (c) =>
    c.json({ data: (await selectChannels(openSql(c.env), c.var.environment.key)).map(channelView) }),
  )
  .post(CHANNELS, access("createAlertChannel"), async (c) => {
    const body = await readRequiredBody(c, CreateAlertChannelBody);
    const { environment } = c.var;
    const connection = openSql(c.env);
    const destination = destinationOf(body);
    const problem = "url" in destination ? urlProblem(destination.url, mayGoAnywhere(c.env)) : null;
    if (problem) throw new Failure(422, "url_not_allowed", `${problem} Nothing was created.`);
    const there = await selectChannels(connection, environment.key);
    if (there.length >= ALERT_LIMITS.channels) throw tooMany("channels", ALERT_LIMITS.channels);
    const place = { environmentKey: environment.key, id: newId("channel") };
    const sealed = await sealChannel(c.env, connection, environment.organization.id, place, destination);
    const { type, name } = body;
    const row: ChannelRow = {
      ...place,
      ...sealed,
      type,
      name,
      target: shownTarget(destination),
      createdAt: Date.now(),
    };
    await record(c, "alert_channel.created", place.id, { type, name }, (db, tables) =>
      db.insert(tables.alertChannels).values(row),
    );
    const secret = destination.type === "webhook" ? destination.secret : undefined;
    return c.json({ ...channelView(row), secret } satisfies CreatedAlertChannel, 201);
  })
  .delete(`${CHANNELS}/:id`, access("deleteAlertChannel"), async (c) => {
    const { id, name } = await channelOf(c);
    await record(c, "alert_channel.deleted", id, { name }, (db, tables) =>
      db.delete(tables.alertChannels).where(eq(tables.alertChannels.id, id)),
    );
    return c.json({ id });
  })
  .post(`${CHANNELS}/:id/test`, access("testAlertChannel"), async (c) => {
    const { id } = await channelOf(c);
    const { environment } = c.var;
    return c.json({ data: await alertsOf(c.env, environment.key).sendTest(environment, id) });
  })
  .get(RULES, access("listAlertRules"), async (c) =>
    c.json({ data: (await selectRules(openSql(c.env), c.var.environment.key)).map(ruleView) }),
  )
  .post(RULES, access("createAlertRule"), async (c) => {
    const rule = await readRequiredBody(c, AlertRuleBody);
    const environmentKey = c.var.environment.key;
    await requireChannels(c, rule.channels);
    const there = await selectRules(openSql(c.env), environmentKey);
    if (there.length >= ALERT_LIMITS.rules) throw tooMany("rules", ALERT_LIMITS.rules);
    const now = Date.now();
    const row: RuleRow = { id: newId("alert"), environmentKey, rule, createdAt: now, updatedAt: now };
    await record(c, "alert_rule.created", row.id, { name: rule.name }, (db, tables) =>
      db.insert(tables.alertRules).values(row),
    );
    return c.json(ruleView(row), 201);
  })
  .put(`${RULES}/:id`, access("updateAlertRule"), async (c) => {
    const rule = await readRequiredBody(c, AlertRuleBody);
    const before = await ruleOf(c);
    await requireChannels(c, rule.channels);
    const row: RuleRow = { ...before, rule, updatedAt: Date.now() };
    await record(c, "alert_rule.changed", row.id, { name: rule.name, enabled: rule.enabled }, (db, tables) =>
      db
        .update(tables.alertRules)
        .set({ rule, updatedAt: row.updatedAt })
        .where(eq(tables.alertRules.id, row.id)),
    );
    return c.json(ruleView(row));
  })
  .delete(`${RULES}/:id`, access("deleteAlertRule"), async (c) => {
    const { id, rule } = await ruleOf(c);
    await record(c, "alert_rule.deleted", id, { name: rule.name }, (db, tables) =>
      db.delete(tables.alertRules).where(eq(tables.alertRules.id, id)),
    );
    return c.json({ id });
  })
  .get("/api/v1/alerts/deliveries", access("listAlertDeliveries"), async (c) => {
    const query = ListAlertDeliveriesQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { deliveries, next } = await alertsOf(c.env, c.var.environment.key).deliveries({
      limit: query.data["page[size]"] ?? 25,
      after: query.data["page[after]"],
      channel: query.data["filter[channel]"],
      status: query.data["filter[status]"],
    });
    return c.json({ data: deliveries, pagination: { next: next === null ? undefined : String(next) } });
  });

const channelView = ({ id, type, name, target, createdAt }: ChannelRow): AlertChannel => ({
  id,
  type,
  name,
  target,
  createdAt: isoTime(createdAt),
});

const ruleView = ({ id, rule, createdAt, updatedAt }: RuleRow): AlertRule => ({
  id,
  ...rule,
  createdAt: isoTime(createdAt),
  updatedAt: isoTime(updatedAt),
});

const tooMany = (what: string, most: number): Failure =>
  new Failure(
    422,
    "too_many_alerts",
    `An environment has at most ${most} alert ${what}. Nothing was created.`,
  );

type Connection = ReturnType<typeof openSql>;

/**
 * Makes the change and its entry in the audit log, both or neither, and then informs the object of the
 * environment's alerts.
 */
async function record(
  c: Context<App>,
  action: string,
  id: string,
  details: Record<string, unknown>,
  statement: (db: Connection["db"], tables: Connection["tables"]) => Statement,
): Promise<void> {
  const connection = openSql(c.env);
  const { environment } = c.var;
  const target = { type: action.split(".")[0] as string, id };
  await connection.atomically([
    required(statement(connection.db, connection.tables)),
    auditStatement(c, connection, deedIn(environment, { action, target, details })),
  ]);
  await alertsOf(c.env, environment.key).rulesChanged(environment.key);
  forgetWanted(environment.key);
}

async function channelOf(c: Context<App>): Promise<ChannelRow> {
  const { db, tables } = openSql(c.env);
  const { alertChannels } = tables;
  const id = (c.req.param("id") ?? "").slice(0, 64);
  const where = and(eq(alertChannels.id, id), eq(alertChannels.environmentKey, c.var.environment.key));
  const row = (await db.select().from(alertChannels).where(where))[0];
  if (row) return row;
  throw new Failure(
    404,
    "alert_channel_not_found",
    `There is no alert channel ${id} in this environment. Nothing was changed.`,
  );
}

async function ruleOf(c: Context<App>): Promise<RuleRow> {
  const { db, tables } = openSql(c.env);
  const { alertRules } = tables;
  const id = (c.req.param("id") ?? "").slice(0, 64);
  const where = and(eq(alertRules.id, id), eq(alertRules.environmentKey, c.var.environment.key));
  const row = (await db.select().from(alertRules).where(where))[0];
  if (row) return row;
  throw new Failure(
    404,
    "alert_rule_not_found",
    `There is no alert rule ${id} in this environment. Nothing was changed.`,
  );
}

/** Throws a 422 for a channel that the environment does not have. */
async function requireChannels(c: Context<App>, ids: string[]): Promise<void> {
  const there = new Set((await selectChannels(openSql(c.env), c.var.environment.key)).map(({ id }) => id));
  const missing = ids.find((id) => !there.has(id));
  if (missing === undefined) return;
  throw new Failure(
    422,
    "alert_channel_not_found",
    `There is no alert channel ${missing} in this environment. Nothing was changed.`,
  );
}
