import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createGunzip, gzipSync } from "node:zlib";
import { type Engine, EngineError } from "./engine.ts";
import { engineRequest, statusOf, Unsupported } from "./http-request.ts";

/**
 * ClickHouse's HTTP interface over the engine, as far as the official clients use it. Users are not checked,
 * there are no sessions, and only text formats are supported.
 */
export function clickhouseServer(engine: Engine): Server {
  const server = createServer((request, response) => {
    answer(engine, request, response).catch((error: Error) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(`Code: 1002. DB::Exception: ${error.message}. (UNKNOWN_EXCEPTION)\n`);
    });
  });
  // A client that is busy for a while would otherwise write to a connection that was closed meanwhile.
  server.keepAliveTimeout = 120_000;
  return server;
}

async function answer(engine: Engine, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://clickhouse");
  response.setHeader("x-clickhouse-timezone", "UTC");
  if (url.pathname === "/ping" || (request.method === "GET" && url.search === "")) {
    response.end("Ok.\n");
    return;
  }
  const body = await bodyOf(request);
  const queryId = url.searchParams.get("query_id") ?? randomUUID();
  response.setHeader("x-clickhouse-query-id", queryId);
  try {
    const wanted = engineRequest(request.method ?? "GET", url.searchParams, body);
    const result = await engine.run(wanted);
    const written = /^\s*insert\b/i.test(wanted.query) ? rowsIn(wanted.query, body) : null;
    response.setHeader("x-clickhouse-format", wanted.format);
    response.setHeader("x-clickhouse-summary", summaryOf(result, written));
    response.setHeader("content-type", "text/plain; charset=UTF-8");
    if (wanted.compressed && /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""))) {
      response.setHeader("content-encoding", "gzip");
      response.end(gzipSync(result.bytes));
    } else response.end(result.bytes);
  } catch (error) {
    if (error instanceof Unsupported) {
      response.writeHead(400).end(`Code: 48. DB::Exception: ${error.message}. (NOT_IMPLEMENTED)\n`);
    } else if (error instanceof EngineError) {
      response.setHeader("x-clickhouse-exception-code", String(error.code));
      response.writeHead(statusOf(error.code)).end(`${error.message}\n`);
    } else throw error;
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const zipped = request.headers["content-encoding"] === "gzip";
  const parts: Buffer[] = [];
  for await (const part of zipped ? request.pipe(createGunzip()) : request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** Counts the rows of an insert if its format has one row per line. The engine does not report the number. */
function rowsIn(query: string, data: string): number {
  if (!/\bformat\s+\w*(EachRow|TabSeparated|TSV)\b/i.test(query)) return 0;
  return data.split("\n").filter((line) => line.trim() !== "").length;
}

/** @param written number of rows of an insert; null for other statements */
function summaryOf(
  { rows, readBytes, elapsedNs }: { rows: number; readBytes: number; elapsedNs: number },
  written: number | null,
): string {
  return JSON.stringify({
    read_rows: String(rows),
    read_bytes: String(readBytes),
    written_rows: String(written ?? 0),
    written_bytes: "0",
    total_rows_to_read: "0",
    result_rows: String(written === null ? rows : 0),
    result_bytes: String(written === null ? readBytes : 0),
    elapsed_ns: String(elapsedNs),
  });
}
