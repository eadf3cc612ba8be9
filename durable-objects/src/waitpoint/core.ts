import type { OperationResult } from "@acme/sdk/contract";
import { type TokenAnswerer, type TokenForm, WAITPOINT_TIMEOUT } from "@acme/sdk/contract/api";
import type { Sql, SqlRow } from "../lib/sql.ts";
import type { WaitpointRecord, WaitpointRow, WaitpointRpc } from "./rpc.ts";

interface TokenTableRow extends SqlRow {
  id: string;
  environment_key: string;
  status: WaitpointRecord["status"];
  tags: string;
  idempotency_key: string | null;
  idempotency_key_expires_at: number | null;
  created_at: number;
  timeout_at: number | null;
  completed_at: number | null;
  output: string | null;
  output_type: string | null;
  output_is_error: number;
  form: string | null;
  answered_by: string | null;
  version: number;
  projected: number;
}

const read = (sql: Sql): TokenTableRow | undefined => sql.exec<TokenTableRow>("SELECT * FROM token")[0];

export type NewToken = Parameters<WaitpointRpc["createToken"]>[0];
export type TokenOutput = Parameters<WaitpointRpc["completeToken"]>[1];

/** Creates the token, unless it exists. */
export function createToken(sql: Sql, token: NewToken, createdAt: number): void {
  sql.exec(
    `INSERT INTO token (one, id, environment_key, status, tags, idempotency_key, idempotency_key_expires_at, created_at,
       timeout_at, output_is_error, form, version, projected)
     VALUES (1, ?, ?, 'PENDING', ?, ?, ?, ?, ?, 0, ?, 1, 0) ON CONFLICT DO NOTHING`,
    token.id,
    token.environmentKey,
    JSON.stringify(token.tags),
    token.idempotencyKey,
    token.idempotencyKeyExpiresAt,
    createdAt,
    token.timeoutAt,
    token.form ? JSON.stringify(token.form) : null,
  );
}

/** Ends the token. The first end is kept. */
function end(
  sql: Sql,
  status: "COMPLETED" | "TIMED_OUT",
  output: TokenOutput,
  now: number,
  answeredBy?: TokenAnswerer,
): void {
  sql.exec(
    `UPDATE token SET status = ?, output = ?, output_type = ?, output_is_error = ?, completed_at = ?, answered_by = ?,
       version = version + 1
     WHERE status = 'PENDING'`,
    status,
    output.data,
    output.data === null ? null : output.dataType,
    output.isError ? 1 : 0,
    now,
    answeredBy ? JSON.stringify(answeredBy) : null,
  );
}

export const completeToken = (sql: Sql, output: TokenOutput, now: number, answeredBy?: TokenAnswerer): void =>
  end(sql, "COMPLETED", output, now, answeredBy);

/**
 * Ends a token whose timeout has passed, even before its alarm fires, so that nothing completes it in
 * between.
 */
export function timeOut(sql: Sql, now: number): void {
  const token = read(sql);
  if (token?.status !== "PENDING" || token.timeout_at === null || token.timeout_at > now) return;
  const message = `Waitpoint timed out at ${new Date(token.timeout_at).toISOString()}`;
  const data = JSON.stringify({ code: WAITPOINT_TIMEOUT, message });
  end(sql, "TIMED_OUT", { data, dataType: "application/json", isError: true }, now);
}

/** Returns null when no token was created here. */
export function readToken(sql: Sql): WaitpointRecord | null {
  const row = read(sql);
  return row
    ? {
        ...shared(row),
        output: row.output,
        outputType: row.output_type,
        outputIsError: row.output_is_error === 1,
        form: formOf(row),
        answeredBy: row.answered_by === null ? null : (JSON.parse(row.answered_by) as TokenAnswerer),
      }
    : null;
}

/** Returns the row that the query side does not have yet; null if it has the latest. */
export function unprojected(sql: Sql): WaitpointRow | null {
  const row = read(sql);
  if (!row || row.version <= row.projected) return null;
  return { ...shared(row), title: formOf(row).title ?? null, version: row.version };
}

export function projected(sql: Sql, version: number): void {
  sql.exec("UPDATE token SET projected = max(projected, ?)", version);
}

const formOf = ({ form }: TokenTableRow): TokenForm => (form === null ? {} : (JSON.parse(form) as TokenForm));

const shared = (row: TokenTableRow): Omit<WaitpointRow, "version" | "title"> => ({
  id: row.id,
  environmentKey: row.environment_key,
  status: row.status,
  tags: JSON.parse(row.tags) as string[],
  idempotencyKey: row.idempotency_key,
  idempotencyKeyExpiresAt: row.idempotency_key_expires_at,
  createdAt: row.created_at,
  timeoutAt: row.timeout_at,
  completedAt: row.completed_at,
});

/** Returns the result for an operation that waits for the token; null until the token is completed. */
export function resultOf(token: WaitpointRecord): OperationResult | null {
  if (token.status === "PENDING") return null;
  if (!token.outputIsError) {
    return { ok: true, output: token.output, outputType: token.outputType ?? undefined };
  }
  if (token.status !== "TIMED_OUT")
    return { ok: false, error: { type: "STRING_ERROR", raw: token.output ?? "" } };
  const { code, message } = JSON.parse(token.output as string) as { code: string; message: string };
  return { ok: false, error: { type: "INTERNAL_ERROR", code, message } };
}
