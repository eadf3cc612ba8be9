import type {
  AttemptOutcome,
  Attributes,
  LogEntry,
  MetricPoint,
  SpanRecord,
  TaskRunError,
} from "@acme/sdk/contract";

/** What stands in place of a secret's value. */
export const REDACTED = "[redacted]";
/** A shorter value is found everywhere: to take it out would make logs useless and hide nothing. */
const MIN_LENGTH = 5;
/** Each line of a multi-line value (a key in PEM) that has this length is redacted by itself, because loggers split lines. */
const MIN_LINE_LENGTH = 8;

/** Takes the values of an environment's secrets out of what is recorded of its runs. */
export class Redactor {
  readonly #pattern: RegExp | undefined;
  /** Values of several lines. */
  readonly #blocks: string[][];

  constructor(env: Record<string, string>, secretNames: string[]) {
    const parts = new Set<string>();
    for (const name of secretNames) for (const part of partsOf(env[name] ?? "")) parts.add(part);
    this.#blocks = secretNames.map((name) => linesOf(env[name] ?? "")).filter(({ length }) => length > 1);
    // The longest first: where one value contains another, the whole longer one is replaced.
    const sorted = [...parts].sort((a, b) => b.length - a.length);
    if (sorted.length > 0) this.#pattern = new RegExp(sorted.map(escapeRegExp).join("|"), "g");
  }

  text(text: string): string {
    return this.#pattern ? text.replace(this.#pattern, REDACTED) : text;
  }

  entries(entries: LogEntry[]): LogEntry[] {
    if (!this.#pattern) return entries;
    return this.#withoutBlocks(entries).map((entry) => ({
      ...entry,
      message: this.text(entry.message),
      ...(entry.properties ? { properties: this.#value(entry.properties) as LogEntry["properties"] } : {}),
    }));
  }

  /** Ids and times are not looked at. */
  records(records: { spans: SpanRecord[]; metrics: MetricPoint[] }): {
    spans: SpanRecord[];
    metrics: MetricPoint[];
  } {
    if (!this.#pattern) return records;
    return {
      spans: records.spans.map((span) => ({
        ...span,
        name: this.text(span.name),
        ...(span.message === undefined ? {} : { message: this.text(span.message) }),
        attributes: this.#attributes(span.attributes),
        events: span.events.map((event) => ({
          ...event,
          name: this.text(event.name),
          attributes: this.#attributes(event.attributes),
        })),
        links: span.links.map((link) => ({ ...link, attributes: this.#attributes(link.attributes) })),
      })),
      metrics: records.metrics.map((point) => ({
        ...point,
        name: this.text(point.name),
        attributes: this.#attributes(point.attributes),
      })),
    };
  }

  #attributes(attributes: Attributes): Attributes {
    return this.#value(attributes) as Attributes;
  }

  /** A write of several lines is several entries: a value that lies across them is found there, however short its lines are. */
  #withoutBlocks(entries: LogEntry[]): LogEntry[] {
    if (this.#blocks.length === 0) return entries;
    const messages = entries.map(({ message }) => message);
    for (const lines of this.#blocks) {
      const last = lines.length - 1;
      for (let at = 0; at + last < messages.length; at++) {
        const isThere = lines.every((line, index) => {
          const message = messages[at + index]?.trim() ?? "";
          if (index === 0) return message.endsWith(line);
          return index === last ? message.startsWith(line) : message === line;
        });
        if (!isThere) continue;
        for (const [index, line] of lines.entries())
          messages[at + index] = (messages[at + index] ?? "").replace(line, () => REDACTED);
      }
    }
    return entries.map((entry, index) => ({ ...entry, message: messages[index] ?? entry.message }));
  }

  /** An output is the task's own to return; an error's text often holds what a library was called with. */
  outcome<T extends AttemptOutcome>(outcome: T): T {
    if (!this.#pattern || !("error" in outcome)) return outcome;
    return { ...outcome, error: this.#value(outcome.error) as TaskRunError };
  }

  #value(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value === "number") {
      const text = this.text(String(value));
      return text === String(value) ? value : text;
    }
    if (Array.isArray(value)) return value.map((item) => this.#value(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [this.text(name), this.#value(item)]),
    );
  }
}

/** The value as it is, as it is inside JSON, and its longer lines. */
function partsOf(value: string): string[] {
  const trimmed = value.trim();
  if (trimmed.length < MIN_LENGTH) return [];
  const all = linesOf(value);
  const lines = all.length > 1 ? all.filter((line) => line.length >= MIN_LINE_LENGTH) : [];
  return [trimmed, JSON.stringify(trimmed).slice(1, -1), ...lines];
}

const linesOf = (value: string): string[] =>
  value.trim().length < MIN_LENGTH
    ? []
    : value
        .trim()
        .split(/\r?\n/)
        .map((line) => line.trim());

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
