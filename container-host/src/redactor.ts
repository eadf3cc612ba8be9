import type {
  AttemptOutcome,
  Attributes,
  LogEntry,
  MetricPoint,
  SpanRecord,
  TaskRunError,
} from "@acme/sdk/contract";

/** The replacement of a secret's value. */
export const REDACTED = "[redacted]";
/** Shorter values occur everywhere: redacting them would make logs useless and hide nothing. */
const MIN_LENGTH = 5;
/**
 * Each line of a multi-line value (such as a PEM key) of at least this length is redacted by itself, because
 * loggers split lines.
 */
const MIN_LINE_LENGTH = 8;

/** Redacts the values of an environment's secrets in everything that is recorded about its runs. */
export class Redactor {
  readonly #pattern: RegExp | undefined;
  /** Values of several lines. */
  readonly #blocks: string[][];

  constructor(env: Record<string, string>, secretNames: string[]) {
    const parts = new Set<string>();
    for (const name of secretNames) for (const part of partsOf(env[name] ?? "")) parts.add(part);
    this.#blocks = secretNames.map((name) => linesOf(env[name] ?? "")).filter(({ length }) => length > 1);
    // Longest first, so that if one value contains another, the whole longer one is replaced.
    const sorted = [...parts].sort((a, b) => b.length - a.length);
    if (sorted.length > 0) this.#pattern = new RegExp(sorted.map(escapeRegExp).join("|"), "g");
  }

  text(text: string): string {
    if (!this.#pattern) return text;
    return withoutBroken(text.replace(this.#pattern, REDACTED), this.#pattern);
  }

  entries(entries: LogEntry[]): LogEntry[] {
    if (!this.#pattern) return entries;
    return this.#withoutBlocks(entries).map((entry) => ({
      ...entry,
      message: this.text(entry.message),
      ...(entry.properties ? { properties: this.#value(entry.properties) as LogEntry["properties"] } : {}),
    }));
  }

  /** Ids and times are not searched. */
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

  /**
   * Programs often log a value of several lines line by line, so that each is an entry. A value that spans entries is
   * found as well, however short its lines are.
   */
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

  /**
   * An output is not redacted, because the task chose to return it; an error's text often contains a
   * library's arguments.
   */
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

/** Replaces values that line breaks interrupt, such as those of a terminal's width, together with the breaks. */
function withoutBroken(text: string, pattern: RegExp): string {
  const lines = text.split(/(\r?\n)/);
  if (lines.length === 1) return text;
  let joined = "";
  /** The line breaks: where they were in `joined`, which has none, and where they end in the text. */
  const breaks: { at: number; end: number }[] = [];
  let position = 0;
  for (const [index, part] of lines.entries()) {
    if (index % 2 === 0) joined += part;
    else breaks.push({ at: joined.length, end: position + part.length });
    position += part.length;
  }
  const redacted = [];
  let from = 0;
  /** The number of breaks that are not after the beginning of the match: matches and breaks come in order. */
  let passed = 0;
  for (const { index, 0: value } of joined.matchAll(pattern)) {
    const end = index + value.length;
    while ((breaks[passed]?.at ?? end) <= index) passed += 1;
    let inside = passed;
    while ((breaks[inside]?.at ?? end) < end) inside += 1;
    const last = breaks[inside - 1];
    if (!last || inside === passed) continue;
    const before = breaks[passed - 1];
    redacted.push(text.slice(from, index + (before ? before.end - before.at : 0)), REDACTED);
    from = last.end + (end - last.at);
  }
  return redacted.join("") + text.slice(from);
}

/** Returns the value, its form inside JSON, and its longer lines. */
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
