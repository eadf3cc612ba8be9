import { LIMITS } from "../contract/limits.ts";
import type { LogEntry } from "../contract/log-entry.ts";
import { cutMiddle, fitsBytes } from "../contract/text.ts";
import type { Channel } from "./channel.ts";
import { realNow } from "./real-clock.ts";

const FLUSH_MS = 100;
/** If more characters than this wait, they are sent at once. */
const FLUSH_CHARS = 64 * 1_024;

/** The log entries of one attempt, on their way to the host in batches. */
export class LogBuffer {
  readonly #channel: Channel;
  readonly #prefix: string;
  #entries: string[] = [];
  #chars = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(channel: Channel, runId: string, attempt: number) {
    this.#channel = channel;
    this.#prefix = `{"type":"log","runId":${JSON.stringify(runId)},"attempt":${attempt},"entries":[`;
  }

  /** `span`: the span in which the line is logged, if that is not the attempt's. */
  add(
    level: LogEntry["level"],
    message: string,
    properties?: object,
    span?: { traceId: string; spanId: string },
  ): void {
    // Serialized now because the caller may change the properties later.
    const entry = jsonOfEntry(level, cutMiddle(message, LIMITS.logMessageBytes), properties, span);
    this.#entries.push(entry);
    this.#chars += entry.length;
    if (this.#chars > FLUSH_CHARS) this.flush();
    else this.#timer ??= setTimeout(this.flush, FLUSH_MS);
  }

  /** Sends the entries that were not sent yet. Leaves no timer behind. */
  readonly flush = (): void => {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#entries.length === 0) return;
    this.#channel.sendLine(`${this.#prefix + this.#entries.join(",")}]}`);
    this.#entries = [];
    this.#chars = 0;
  };
}

function jsonOfEntry(
  level: LogEntry["level"],
  message: string,
  properties: object | undefined,
  span: { traceId: string; spanId: string } | undefined,
): string {
  const time = realNow();
  const { traceId, spanId } = span ?? {};
  if (properties === undefined || isPlainObject(properties)) {
    const entry = JSON.stringify({ time, level, message, properties, traceId, spanId });
    if (properties === undefined || fitsBytes(entry, LIMITS.logPropertiesBytes)) return entry;
  }
  const where = span ? `,"traceId":"${traceId}","spanId":"${spanId}"` : "";
  const more = properties ? `,"properties":${serializeProperties(properties)}` : "";
  return `{"time":${time},"level":"${level}","message":${JSON.stringify(message)}${more}${where}}`;
}

function isPlainObject(properties: object): boolean {
  try {
    return !Array.isArray(properties) && isPlain(properties);
  } catch {
    // A getter threw.
    return false;
  }
}

/** Objects in objects, at most: deeper ones, and those that contain themselves, take the long way. */
const PLAIN_DEPTH = 4;

/** True if JSON expresses all of it: it is then written without a replacer, which takes a fifth of the time. */
function isPlain(object: object, depth = PLAIN_DEPTH): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== Array.prototype) return false;
  for (const key in object) {
    const value: unknown = (object as Record<string, unknown>)[key];
    switch (typeof value) {
      case "string":
      case "number":
      case "boolean":
      case "undefined":
        break;
      case "object":
        if (value !== null && (depth === 0 || !isPlain(value, depth - 1))) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

/** Returns the JSON of an object. Values that JSON cannot express become text. Never throws. */
export function serializeProperties(properties: object): string {
  try {
    const json = isPlain(properties) ? JSON.stringify(properties) : jsonOf(properties);
    if (json === undefined || json[0] !== "{") return json?.[0] === "[" ? `{"items":${json}}` : "{}";
    return fitsBytes(json, LIMITS.logPropertiesBytes)
      ? json
      : JSON.stringify({ truncated: cutMiddle(json, LIMITS.logPropertiesBytes / 2) });
  } catch (error) {
    return JSON.stringify({ unserializable: error instanceof Error ? error.message : String(error) });
  }
}

/** The JSON of an object with what JSON cannot express as text. */
function jsonOf(properties: object): string | undefined {
  const ancestors: object[] = [];
  return JSON.stringify(properties, function (this: object, _key, value: unknown) {
    if (typeof value === "bigint") return value.toString();
    if (typeof value === "function") return `[Function ${value.name || "anonymous"}]`;
    if (typeof value === "symbol") return value.toString();
    if (typeof value !== "object" || value === null) return value;
    while (ancestors.length > 0 && ancestors[ancestors.length - 1] !== this) ancestors.pop();
    if (ancestors.includes(value)) return "[Circular]";
    if (value instanceof Error) {
      return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
    }
    ancestors.push(value);
    if (value instanceof Map) return Object.fromEntries(value);
    if (value instanceof Set) return [...value];
    return value;
  });
}
