import type { LogLevelName } from "../api/environment-api.ts";

export const LOG_LEVELS = ["trace", "debug", "log", "info", "warn", "error"] as const;

/** The criteria of a log search, named as in the address and the API. */
export interface LogFilters {
  text: string;
  levels: LogLevelName[];
  task?: string;
  run?: string;
  properties: string[];
}

const isLevel = (text: string): text is LogLevelName => (LOG_LEVELS as readonly string[]).includes(text);

export function parseLogFilters(query: Pick<URLSearchParams, "get" | "getAll">): LogFilters {
  return {
    text: query.get("q")?.slice(0, 256) ?? "",
    levels: query.getAll("level").filter(isLevel),
    task: query.get("task") || undefined,
    run: query.get("run") || undefined,
    properties: query
      .getAll("property")
      .filter((text) => /^[^=]{1,256}=/.test(text))
      .slice(0, 10),
  };
}

/** Splits what was typed: `level:error task:send-email run:run_… user=ada timeout` → filters and words. */
export function splitSearch(typed: string, filters: LogFilters): LogFilters {
  const next: LogFilters = { ...filters, levels: [...filters.levels], properties: [...filters.properties] };
  const words: string[] = [];
  for (const part of typed.match(/"[^"]*"|\S+/g) ?? []) {
    const [, name, value = ""] = /^(level|task|run):(.+)$/.exec(part) ?? [];
    if (name === "level" && isLevel(value)) next.levels = [...new Set([...next.levels, value])];
    else if (name === "task") next.task = value;
    else if (name === "run") next.run = value;
    else if (/^[\w.-]+=\S+$/.test(part) && !part.includes(","))
      next.properties = [...new Set([...next.properties, part])];
    else words.push(part);
  }
  next.text = words.join(" ");
  return next;
}

export function serializeLogFilters(filters: LogFilters): URLSearchParams {
  const query = new URLSearchParams();
  if (filters.text) query.set("q", filters.text);
  for (const level of filters.levels) query.append("level", level);
  if (filters.task) query.set("task", filters.task);
  if (filters.run) query.set("run", filters.run);
  for (const property of filters.properties) query.append("property", property);
  return query;
}

export const logApiQuery = (filters: LogFilters): Record<string, string | undefined> => ({
  text: filters.text || undefined,
  level: filters.levels.length > 0 ? filters.levels.join(",") : undefined,
  task: filters.task,
  run: filters.run,
  property: filters.properties.length > 0 ? filters.properties.join(",") : undefined,
});
