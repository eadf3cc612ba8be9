import type { AuditEntry, ListAuditQuery, ListAuditResponse } from "@acme/sdk/contract/api";
import { and, desc, eq, isNull, lt, or } from "drizzle-orm";
import type { z } from "zod";
import type { SqlConnection } from "../storage/sql-connection.ts";

const PAGE = 25;
/** The number of entries that one query of an export reads. */
const EXPORT_PAGE = 500;

type Filter = Pick<z.output<typeof ListAuditQuery>, "action" | "actor">;

/** Lists entries, newest first. `organizationId` null: actions on the server as a whole. */
export async function listAudit(
  connection: SqlConnection,
  organizationId: string | null,
  query: z.output<typeof ListAuditQuery>,
): Promise<z.output<typeof ListAuditResponse>> {
  const size = query["page[size]"] ?? PAGE;
  const rows = await page(connection, organizationId, query, query["page[after]"], size + 1);
  const data = rows.slice(0, size);
  return { data, pagination: rows.length > size ? { next: data.at(-1)?.id } : {} };
}

/**
 * Streams all entries, newest first, one JSON object per line. A page is read when the previous one was
 * consumed.
 */
export function exportAudit(
  connection: SqlConnection,
  organizationId: string | null,
  filter: Filter,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let after: string | undefined;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const entries = await page(connection, organizationId, filter, after, EXPORT_PAGE);
      for (const entry of entries) controller.enqueue(encoder.encode(`${JSON.stringify(entry)}\n`));
      after = entries.at(-1)?.id;
      if (entries.length < EXPORT_PAGE) controller.close();
    },
  });
}

async function page(
  { db, tables: { auditLog, auditOutcomes } }: SqlConnection,
  organizationId: string | null,
  { action, actor }: Filter,
  after: string | undefined,
  limit: number,
): Promise<AuditEntry[]> {
  const rows = await db
    .select({ entry: auditLog, outcome: auditOutcomes.outcome, results: auditOutcomes.details })
    .from(auditLog)
    .leftJoin(auditOutcomes, eq(auditOutcomes.auditId, auditLog.id))
    .where(
      and(
        organizationId === null
          ? isNull(auditLog.organizationId)
          : eq(auditLog.organizationId, organizationId),
        after === undefined ? undefined : lt(auditLog.id, after),
        action === undefined ? undefined : eq(auditLog.action, action),
        actor === undefined ? undefined : or(eq(auditLog.actorId, actor), eq(auditLog.actorName, actor)),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(limit);
  return rows.map(({ entry: row, outcome, results }) => ({
    id: row.id,
    at: new Date(row.at).toISOString(),
    actor: { type: row.actorType, id: row.actorId, name: row.actorName },
    action: row.action,
    target: { type: row.targetType, id: row.targetId },
    scope: row.scope,
    details: { ...row.details, ...results },
    outcome: row.announced ? (outcome ?? "unknown") : "succeeded",
    address: row.address,
    userAgent: row.userAgent,
  }));
}
