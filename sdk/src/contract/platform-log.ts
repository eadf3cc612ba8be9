import { z } from "zod";

/**
 * What the parts of the platform (Worker, objects, container host, server) say about themselves: one record a line, with the ids
 * that a reader searches for, and never a payload, a variable's value or a credential. What runs print is no part of it.
 */
export const PLATFORM_LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type PlatformLogLevel = (typeof PLATFORM_LOG_LEVELS)[number];

export const PLATFORM_LOG_FORMATS = ["json", "pretty"] as const;
export type PlatformLogFormat = (typeof PLATFORM_LOG_FORMATS)[number];

/** The ids that records have, each under the same name everywhere. */
export interface PlatformLogFields {
  run?: string | undefined;
  environment?: string | undefined;
  queue?: string | undefined;
  host?: string | undefined;
  [name: string]: unknown;
}

const ErrorField = z.object({ name: z.string(), message: z.string(), stack: z.string().optional() });
const Value = z.union([z.string(), z.number(), z.boolean()]);

export const PlatformLogRecord = z.object({
  time: z.string(),
  level: z.enum(PLATFORM_LOG_LEVELS),
  part: z.string(),
  message: z.string(),
  error: ErrorField.optional(),
  fields: z.record(z.string(), Value).default({}),
});
export type PlatformLogRecord = z.infer<typeof PlatformLogRecord>;

const MESSAGE_LENGTH = 2_000;
const VALUE_LENGTH = 300;
const STACK_LINES = 12;
const MOST_CAUSES = 4;

/** Patterns of credentials: keys and tokens of this platform, signed tokens, and the text after `Bearer`. */
const CREDENTIALS = [
  /\btr_(?:dev|prod|stg|preview|pat|oat|pub)[a-z]*_[\w-]{6,}/gi,
  /\bwhsec_[\w+/=-]{6,}/g,
  /\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)?/g,
  /(?<=\b(?:bearer|basic)\s)[\w.~+/=-]{6,}/gi,
  /(?<=:\/\/)[^\s/@]+:[^\s/@]*(?=@)/g,
  /(?<=\bhttps?:\/\/[^\s?#]*)\?[^\s"'<>)]+/g,
];

/** Takes out of a text what is a credential by its form. */
export const withoutCredentials = (text: string): string =>
  CREDENTIALS.reduce((rest, form) => rest.replace(form, "…"), text);

const cut = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text;

/**
 * An error's message without values that it quotes: drivers of databases repeat a statement with its parameters, and parsers the
 * text that they could not read.
 */
function messageOf(error: Error): string {
  const [statement = ""] = error.message.split(/\n\s*params:/i);
  const quotesItsInput =
    error instanceof SyntaxError || /invalid (?:input|byte)|is not valid JSON/i.test(statement);
  const text = quotesItsInput ? statement.replace(/"(?:[^"\\]|\\.)*"?(?:\.\.\.)?|'[^']*'/g, "…") : statement;
  return cut(withoutCredentials(text), MESSAGE_LENGTH);
}

/** The frames only: the first lines of a stack repeat the message. */
const framesOf = (error: Error): string | undefined =>
  error.stack
    ?.split("\n")
    .filter((line) => /^\s+at /.test(line))
    .slice(0, STACK_LINES)
    .join("\n") || undefined;

function errorField(error: unknown): z.infer<typeof ErrorField> {
  if (!(error instanceof Error))
    return { name: typeof error, message: cut(withoutCredentials(String(error)), MESSAGE_LENGTH) };
  const messages: string[] = [];
  for (let each: unknown = error; each instanceof Error && messages.length < MOST_CAUSES; each = each.cause)
    messages.push(messageOf(each));
  const stack = framesOf(error);
  return {
    name: error.name,
    message: cut(messages.join(" ← "), MESSAGE_LENGTH),
    ...(stack === undefined ? {} : { stack }),
  };
}

/** A record of a message with its ids; `error` among the fields is what was caught. */
export function platformLogRecord(
  level: PlatformLogLevel,
  part: string,
  message: string,
  { error, ...fields }: PlatformLogFields = {},
  time = new Date(),
): PlatformLogRecord {
  const shown: PlatformLogRecord["fields"] = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "number" || typeof value === "boolean") shown[name] = value;
    else if (typeof value === "string") shown[name] = cut(withoutCredentials(value), VALUE_LENGTH);
  }
  return {
    fields: shown,
    time: time.toISOString(),
    level,
    part,
    message: cut(withoutCredentials(message), MESSAGE_LENGTH),
    ...(error === undefined ? {} : { error: errorField(error) }),
  };
}

/** Returns a record for output: its own fields and those that every record has. */
const Flat = PlatformLogRecord.omit({ fields: true }).loose();

const valuesOf = (fields: Record<string, unknown>): PlatformLogRecord["fields"] =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => {
      const parsed = Value.safeParse(value);
      return parsed.success ? [[name, parsed.data]] : [];
    }),
  );

/**
 * Parses a line of a part's output as a record. Any other line, such as a message of its engine, becomes a
 * record's message.
 */
export function parsePlatformLogLine(line: string, part: string): PlatformLogRecord {
  if (line.startsWith("{")) {
    try {
      const parsed = Flat.safeParse(JSON.parse(line));
      if (parsed.success) {
        const { time, level, part: from, message, error, ...fields } = parsed.data;
        return { time, level, part: from, message, ...(error ? { error } : {}), fields: valuesOf(fields) };
      }
    } catch {
      // It only looks like one.
    }
  }
  return platformLogRecord("warn", part, line);
}

/** A line of JSON, or lines for people: time, level, part, message and ids, and below them where an error was thrown. */
export function formatPlatformLog(record: PlatformLogRecord, format: PlatformLogFormat): string {
  const { time, level, part, message, error, fields } = record;
  if (format === "json") return JSON.stringify({ time, level, part, message, ...fields, error });
  const ids = Object.entries(fields).map(([name, value]) => ` ${name}=${String(value)}`);
  const thrown = error === undefined ? "" : `: ${error.message}${error.stack ? `\n${error.stack}` : ""}`;
  return `${time} ${level.toUpperCase()} [${part}] ${message}${ids.join("")}${thrown}`;
}

export const isLogged = (level: PlatformLogLevel, least: PlatformLogLevel): boolean =>
  PLATFORM_LOG_LEVELS.indexOf(level) >= PLATFORM_LOG_LEVELS.indexOf(least);

export interface PlatformLogSettings {
  level: PlatformLogLevel;
  format: PlatformLogFormat;
}

/** Returns the settings of `LOG_LEVEL` and `LOG_FORMAT`. An unknown value counts as not set. */
export function platformLogSettings(
  given: { LOG_LEVEL?: string | undefined; LOG_FORMAT?: string | undefined },
  defaults: PlatformLogSettings,
): PlatformLogSettings {
  const level = PLATFORM_LOG_LEVELS.find((each) => each === given.LOG_LEVEL?.toLowerCase());
  const format = PLATFORM_LOG_FORMATS.find((each) => each === given.LOG_FORMAT?.toLowerCase());
  return { level: level ?? defaults.level, format: format ?? defaults.format };
}

export type PlatformLog = Record<PlatformLogLevel, (message: string, fields?: PlatformLogFields) => void>;

export function platformLog(
  part: string,
  settings: () => PlatformLogSettings,
  write: (line: string, level: PlatformLogLevel) => void,
): PlatformLog {
  const at =
    (level: PlatformLogLevel) =>
    (message: string, fields?: PlatformLogFields): void => {
      const { level: least, format } = settings();
      if (isLogged(level, least))
        write(formatPlatformLog(platformLogRecord(level, part, message, fields), format), level);
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
