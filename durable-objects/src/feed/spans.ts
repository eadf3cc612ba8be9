import { type LogBatch, type SpanRecord, TELEMETRY_LIMITS } from "@acme/sdk/contract";
import type { Sql } from "../lib/sql.ts";
import { noteBatch } from "./batches.ts";
import type { StoredSpans } from "./rpc.ts";
import { addToTotal, totalOf } from "./totals.ts";

/** The number of characters of one page. */
const PAGE_CHARACTERS = 8 * 1024 * 1024;

/**
 * Stores spans of a trace, each once. An open span is replaced when it is sent again after its end; an ended
 * span never changes. When the trace has reached its limit, further spans are only counted.
 */
export function appendSpans(
  sql: Sql,
  spans: SpanRecord[],
  batch: LogBatch | undefined,
  limits: { spanBytesPerTrace: number; spansPerTrace: number } = TELEMETRY_LIMITS,
): void {
  sql.transaction(() => {
    let count = totalOf(sql, "spans");
    let bytes = totalOf(sql, "span_bytes");
    const before = { count, bytes };
    let dropped = 0;
    for (const span of spans) {
      const known = sql.exec<{ seq: number; is_over: number; body: string }>(
        "SELECT seq, is_over, body FROM spans WHERE span_id = ?",
        span.spanId,
      )[0];
      if (known?.is_over) continue;
      const body = JSON.stringify(known ? sinceFirst(span, JSON.parse(known.body) as SpanRecord) : span);
      const isOver = span.endTime === null ? 0 : 1;
      if (known) {
        sql.exec("UPDATE spans SET is_over = ?, body = ? WHERE seq = ?", isOver, body, known.seq);
        bytes += body.length - known.body.length;
      } else if (count >= limits.spansPerTrace || bytes + body.length > limits.spanBytesPerTrace) {
        dropped += 1;
      } else {
        sql.exec("INSERT INTO spans (span_id, is_over, body) VALUES (?, ?, ?)", span.spanId, isOver, body);
        count += 1;
        bytes += body.length;
      }
    }
    addToTotal(sql, "spans", count - before.count);
    addToTotal(sql, "span_bytes", bytes - before.bytes);
    // A dropped span that is sent again is counted only once.
    if (dropped > 0 && (!batch || noteBatch(sql, batch, 0).isNew)) addToTotal(sql, "spans_dropped", dropped);
  });
}

/**
 * A span that was open when its run was suspended keeps its original start: the replay that ends it started
 * later.
 */
const sinceFirst = (span: SpanRecord, before: SpanRecord): SpanRecord => ({
  ...span,
  startTime: Math.min(span.startTime, before.startTime),
});

/** Returns a page of spans after the number `after`, in the order in which they were first stored. */
export function spansAfter(sql: Sql, after: number, limit: number): StoredSpans {
  const spans: SpanRecord[] = [];
  let last = after;
  let characters = 0;
  let isPage = false;
  while (!isPage) {
    // Read in pieces, so that a page of large spans does not read many more rows than it returns.
    const piece = Math.min(500, limit - spans.length);
    const rows = sql.exec<{ seq: number; body: string }>(
      "SELECT seq, body FROM spans WHERE seq > ? ORDER BY seq LIMIT ? + 0",
      last,
      piece,
    );
    for (const row of rows) {
      spans.push(JSON.parse(row.body) as SpanRecord);
      last = row.seq;
      characters += row.body.length;
      if (characters >= PAGE_CHARACTERS) break;
    }
    isPage = spans.length >= limit || characters >= PAGE_CHARACTERS;
    if (!isPage && rows.length < piece) return { spans, next: null, dropped: totalOf(sql, "spans_dropped") };
  }
  const more = sql.exec("SELECT 1 AS found FROM spans WHERE seq > ? LIMIT 1", last).length > 0;
  return { spans, next: more ? last : null, dropped: totalOf(sql, "spans_dropped") };
}

export function spanOf(sql: Sql, spanId: string): SpanRecord | null {
  const row = sql.exec<{ body: string }>("SELECT body FROM spans WHERE span_id = ?", spanId)[0];
  return row ? (JSON.parse(row.body) as SpanRecord) : null;
}
