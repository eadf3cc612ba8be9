/** A request to ClickHouse's HTTP interface, as the engine takes it. */
export interface EngineRequest {
  queryId: string | null;
  database: string | null;
  /** The format of the answer if the statement names none. */
  format: string;
  /** Statements to run before the query, in the same connection. */
  before: string[];
  query: string;
  compressed: boolean;
}

/** Parameters of the HTTP interface itself, which the engine does not know as settings. */
const OF_HTTP = new Set([
  "query",
  "query_id",
  "database",
  "default_format",
  "user",
  "password",
  "role",
  "session_timeout",
  "session_check",
  "compress",
  "decompress",
  "wait_end_of_query",
  "buffer_size",
  "http_response_buffer_size",
  "enable_http_compression",
  "http_zlib_compression_level",
  "send_progress_in_http_headers",
  "http_headers_progress_interval_ms",
  "cancel_http_readonly_queries_on_client_close",
]);

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const PARAMETER = "param_";

/** A request needs something that this server does not support. */
export class Unsupported extends Error {}

export const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/**
 * The request that a URL and a body make. With a query in the URL the body is its data, as in
 * `?query=INSERT … FORMAT JSONEachRow`.
 */
export function engineRequest(method: string, search: URLSearchParams, body: string): EngineRequest {
  if (search.has("session_id")) throw new Unsupported("This server has no sessions: leave out session_id");
  const inUrl = search.get("query");
  const query = inUrl === null ? body : body === "" ? inUrl : `${inUrl}\n${body}`;
  const settings = new Map<string, string>();
  const before: string[] = [];
  for (const [name, value] of search) {
    if (OF_HTTP.has(name)) continue;
    if (!NAME.test(name)) throw new Unsupported(`${JSON.stringify(name)} is not the name of a setting`);
    if (name.startsWith(PARAMETER)) before.push(`SET ${name} = ${quoted(value)}`);
    else settings.set(name, value);
  }
  // As in ClickHouse, a GET changes nothing.
  if (method === "GET" && !settings.has("readonly")) settings.set("readonly", "2");
  // In readonly mode, settings can no longer be changed.
  const readonly = settings.get("readonly");
  settings.delete("readonly");
  for (const [name, value] of settings) before.push(`SET ${name} = ${quoted(value)}`);
  if (readonly !== undefined) before.push(`SET readonly = ${quoted(readonly)}`);
  return {
    queryId: search.get("query_id"),
    database: search.get("database"),
    format: search.get("default_format") ?? "TabSeparated",
    before,
    query,
    compressed: search.get("enable_http_compression") === "1",
  };
}

/** HTTP statuses by ClickHouse's error codes, as its server answers; others are 500. */
const STATUSES: Record<number, number> = {
  36: 400,
  62: 400,
  43: 400,
  47: 404,
  46: 404,
  60: 404,
  81: 404,
  115: 404,
  158: 400,
  159: 408,
  160: 408,
  164: 500,
  241: 500,
  396: 400,
  456: 400,
  457: 400,
  497: 403,
};

export const statusOf = (code: number): number => STATUSES[code] ?? 500;
