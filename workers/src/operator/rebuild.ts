import { queueRef } from "@acme/durable-objects/routing";
import type { RebuildBody, RebuildResponse } from "@acme/sdk/contract/api";
import { and, eq, gte, isNull } from "drizzle-orm";
import type { Context } from "hono";
import type { z } from "zod";
import type { App } from "../bindings.ts";
import { auditStatement } from "../control/audit.ts";
import { environmentObjectOf, queueObjectOf } from "../objects.ts";
import { openSql, type SqlConnection } from "../storage/sql-connection.ts";
import { environmentRefs } from "./environment-refs.ts";
import { organizationBySlug } from "./organizations.ts";

/**
 * The number of queue objects that one request calls: an invocation may call only a limited number of other
 * objects.
 */
const CALLS = 200;
const ENVIRONMENTS = 50;
/** The number of queues per call of an environment, because each may have many partitions. */
const QUEUES = 5;

/**
 * Makes every queue send its runs to the query side again, or returns their progress. The same request does
 * both, so an interrupted caller repeats it. A queue works through its runs by itself, also across a restart.
 */
export async function rebuildPage(
  c: Context<App>,
  { id, organization, after }: z.output<typeof RebuildBody>,
): Promise<RebuildResponse> {
  const connection = openSql(c.env);
  const { projects, environments } = connection.tables;
  const owner = organization === undefined ? undefined : await organizationBySlug(connection, organization);
  if (after === undefined) await announceOnce(c, connection, id, organization);
  const [firstKey = "", firstOffset = "0"] = after?.split(".") ?? [];
  const refs = await environmentRefs(
    connection,
    and(gte(environments.key, firstKey), owner && eq(projects.organizationId, owner.id)),
    ENVIRONMENTS + 1,
  );
  const answer: RebuildResponse = { id, queues: 0, done: 0, runs: 0 };
  let calls = 0;
  for (const [index, ref] of refs.entries()) {
    let offset = ref.key === firstKey ? Number(firstOffset) : 0;
    if (index === ENVIRONMENTS || calls >= CALLS) return { ...answer, next: `${ref.key}.${offset}` };
    for (;;) {
      const { queues, count } = await environmentObjectOf(c.env, ref.key).listQueues(offset, QUEUES);
      const partitions = queues.flatMap(({ queue, partitions }) =>
        partitions.map((partition) => queueRef(ref, queue, partition)),
      );
      const progress = await Promise.all(
        partitions.map(({ queueKey }) => queueObjectOf(c.env, queueKey).reproject(ref.key, id)),
      );
      for (const each of progress) {
        if (each === null) continue;
        answer.queues += 1;
        answer.runs += each.rows;
        if (each.done) answer.done += 1;
      }
      calls += partitions.length + 1;
      offset += queues.length;
      if (queues.length === 0 || offset >= count) break;
      if (calls >= CALLS) return { ...answer, next: `${ref.key}.${offset}` };
    }
  }
  return answer;
}

/** The request is repeated to read the progress, but recorded in the audit log only once. */
async function announceOnce(
  c: Context<App>,
  connection: SqlConnection,
  id: string,
  organization: string | undefined,
): Promise<void> {
  const { auditLog } = connection.tables;
  const own = and(isNull(auditLog.organizationId), eq(auditLog.action, "query_side.rebuilt"));
  const there = await connection.db
    .select({ id: auditLog.id })
    .from(auditLog)
    .where(and(own, eq(auditLog.targetId, id)))
    .limit(1);
  if (there.length > 0) return;
  await connection.atomically([
    auditStatement(c, connection, {
      organizationId: null,
      action: "query_side.rebuilt",
      target: { type: "rebuild", id },
      details: { organization: organization ?? null },
    }),
  ]);
}
