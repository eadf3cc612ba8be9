import { ClickHouseError } from "@clickhouse/client-web";
import { Failure } from "../http/failure.ts";

/** ClickHouse's codes for exceeded limits. */
const TOO_MUCH: Record<string, string> = {
  "158": "The query reads too many rows: give a shorter period, or more conditions",
  "159": "The query took longer than 10 s: give a shorter period, more conditions or a LIMIT",
  "160": "The query would take longer than 10 s: give a shorter period, more conditions or a LIMIT",
  "241": "The query exceeds its memory limit: group by fewer values, or give a shorter period",
  "307": "The query reads too many bytes: give a shorter period, or fewer columns",
  "396": "The answer has more than 10,000 rows or 10 MB: add a LIMIT, or group the rows",
};

/** Codes that concern the server, not the query. */
const OF_SERVER = new Set([
  "60",
  "81",
  "115",
  "164",
  "192",
  "193",
  "194",
  "195",
  "202",
  "210",
  "394",
  "439",
  "497",
  "516",
  "999",
  "1000",
  "1001",
  "1002",
]);

/**
 * Returns what a user can change about a query that ClickHouse refused; null if the query is not the cause.
 */
export function databaseProblem(error: unknown, query: string): Failure | null {
  if (!(error instanceof ClickHouseError) || OF_SERVER.has(error.code)) return null;
  const tooMuch = TOO_MUCH[error.code];
  if (tooMuch !== undefined) return new Failure(422, "query_too_expensive", `${tooMuch}.`);
  return new Failure(400, "invalid_query", `${explained(error, query)}.`);
}

/**
 * Returns the part of the message about the query. The rest quotes the generated statement, which the user
 * did not write.
 */
function explained({ message }: ClickHouseError, query: string): string {
  const unknown = /Unknown (?:expression )?(?:or function )?identifier [`'"]?([^`'"\s]+)[`'"]?/.exec(
    message,
  )?.[1];
  if (unknown !== undefined) {
    const name = unknown.split(".").at(-1) as string;
    const suggestion = /Maybe you meant: \[?'?([^\].']+)/.exec(message)?.[1];
    return `There is no column ${name}${placeOf(name, query)}${suggestion ? `: did you mean ${suggestion.replaceAll("'", "")}?` : ""}`;
  }
  const sentence = message
    .replaceAll("`", "")
    .replaceAll(/__rows\.|__named_/g, "")
    .split(/(?:\. )?(?:In scope|While |: in query|: While|\bin scope\b|: In )/i)[0]
    ?.trim()
    .replace(/[.:]+$/, "");
  return sentence ? sentence.slice(0, 300) : "ClickHouse can't run this query";
}

function placeOf(name: string, query: string): string {
  const offset = query.search(new RegExp(`(?<![\\w])${name.replaceAll(/[^\w]/g, "\\$&")}(?![\\w])`));
  if (offset < 0) return "";
  const before = query.slice(0, offset).split("\n");
  return ` (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})`;
}
