import {
  type Exception,
  type Link,
  type Attributes as OtelAttributes,
  type Span,
  type SpanContext,
  type SpanOptions,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
  TraceFlags,
} from "@opentelemetry/api";
import type { SpanRecord } from "../../contract/telemetry.ts";
import { TELEMETRY_LIMITS } from "../../contract/telemetry-limits.ts";
import { cutMiddle } from "../../contract/text.ts";
import { attributesOf, setAttribute } from "./attributes.ts";
import { preciseNow } from "./precise-now.ts";
import { spanKindName } from "./span-kinds.ts";

/** A recorded OpenTelemetry span, which is passed to its owner when it ends. */
export class RecordedSpan implements Span {
  readonly record: SpanRecord;
  /** True if the span began while the run was replaying. */
  readonly isReplayed: boolean;
  /** True if the span was sent before its end. */
  isKnown = false;
  readonly #context: SpanContext;
  readonly #onEnd: (span: RecordedSpan) => void;

  constructor(
    ids: Pick<SpanRecord, "traceId" | "spanId" | "parentSpanId" | "runId" | "attempt">,
    name: string,
    options: SpanOptions,
    isReplayed: boolean,
    onEnd: (span: RecordedSpan) => void,
  ) {
    const { traceId, spanId } = ids;
    this.#context = { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
    this.#onEnd = onEnd;
    this.isReplayed = isReplayed;
    this.record = {
      ...ids,
      service: null,
      name: cutMiddle(String(name), TELEMETRY_LIMITS.nameBytes),
      kind: spanKindName(options.kind),
      startTime: timeOf(options.startTime),
      endTime: null,
      status: "unset",
      attributes: attributesOf(options.attributes),
      events: [],
      links: [],
    };
    this.addLinks(options.links ?? []);
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  setAttribute(name: string, value: unknown): this {
    if (this.isRecording()) setAttribute(this.record.attributes, name, value);
    return this;
  }

  setAttributes(attributes: OtelAttributes): this {
    for (const [name, value] of Object.entries(attributes)) this.setAttribute(name, value);
    return this;
  }

  addEvent(name: string, attributes?: OtelAttributes | TimeInput, time?: TimeInput): this {
    const { events } = this.record;
    if (!this.isRecording() || events.length >= TELEMETRY_LIMITS.eventsPerSpan) return this;
    const isTime = attributes !== undefined && isTimeInput(attributes);
    events.push({
      time: timeOf(isTime ? attributes : time),
      name: cutMiddle(String(name), TELEMETRY_LIMITS.nameBytes),
      attributes: isTime ? {} : attributesOf(attributes),
    });
    return this;
  }

  addLink({ context, attributes }: Link): this {
    const { links } = this.record;
    const { traceId, spanId } = context;
    if (this.isRecording() && links.length < TELEMETRY_LIMITS.linksPerSpan && HEX.test(traceId + spanId))
      links.push({ traceId, spanId, attributes: attributesOf(attributes) });
    return this;
  }

  addLinks(links: Link[]): this {
    for (const link of links) this.addLink(link);
    return this;
  }

  setStatus({ code, message }: SpanStatus): this {
    if (!this.isRecording() || code === SpanStatusCode.UNSET || this.record.status === "ok") return this;
    this.record.status = code === SpanStatusCode.ERROR ? "error" : "ok";
    if (message && code === SpanStatusCode.ERROR)
      this.record.message = cutMiddle(message, TELEMETRY_LIMITS.attributeValueBytes);
    return this;
  }

  updateName(name: string): this {
    if (this.isRecording()) this.record.name = cutMiddle(name, TELEMETRY_LIMITS.nameBytes);
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const { name, message, stack } =
      typeof exception === "string"
        ? { name: undefined, message: exception, stack: undefined }
        : {
            name: exception.name ?? exception.code?.toString(),
            ...exception,
            message: exception.message,
            stack: exception.stack,
          };
    this.addEvent(
      "exception",
      {
        ...(name === undefined ? {} : { "exception.type": String(name) }),
        ...(message === undefined ? {} : { "exception.message": message }),
        ...(stack === undefined ? {} : { "exception.stacktrace": stack }),
      },
      time,
    );
    this.record.message ??= message && cutMiddle(message, TELEMETRY_LIMITS.attributeValueBytes);
  }

  end(time?: TimeInput): void {
    if (!this.isRecording()) return;
    this.record.endTime = Math.max(timeOf(time), this.record.startTime);
    this.#onEnd(this);
  }

  isRecording(): boolean {
    return this.record.endTime === null;
  }
}

const HEX = /^[0-9a-f]{48}$/;

const isTimeInput = (value: OtelAttributes | TimeInput): value is TimeInput =>
  typeof value === "number" || value instanceof Date || (Array.isArray(value) && value.length === 2);

/** Milliseconds since the epoch. Numbers below the start of the process are those of `performance.now()`. */
export function timeOf(time: TimeInput | undefined): number {
  if (time === undefined) return preciseNow();
  if (time instanceof Date) return time.getTime();
  if (typeof time === "number") return time < performance.timeOrigin ? performance.timeOrigin + time : time;
  return time[0] * 1_000 + time[1] / 1_000_000;
}
