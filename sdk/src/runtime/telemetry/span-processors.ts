import {
  type AttributeValue,
  ROOT_CONTEXT,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
} from "@opentelemetry/api";
import type { Attributes, SpanRecord } from "../../contract/telemetry.ts";
import { TELEMETRY_LIMITS } from "../../contract/telemetry-limits.ts";
import { cutMiddle } from "../../contract/text.ts";
import type { TelemetrySettings } from "../../define/telemetry-settings.ts";
import { runContext } from "../run-context.ts";
import { attributesOf } from "./attributes.ts";
import { readableSpan } from "./exporters.ts";
import type { ExportedResource } from "./otel-forms.ts";
import { timeOf } from "./recorded-span.ts";

type Processor = NonNullable<TelemetrySettings["spanProcessors"]>[number];

/** Attributes that the platform reads. Processors don't change them. */
const OWN = "acme.";

/**
 * Calls the project's span processors before a span leaves the process. A span is a record until then, so `onStart`,
 * `onEnding` and `onEnd` follow one another when it ends. What they do is no part of a run.
 */
export class SpanProcessors {
  readonly #processors: Processor[];
  readonly #resource: ExportedResource;
  #hasFailed = false;

  constructor(processors: Processor[], resource: ExportedResource) {
    this.#processors = processors;
    this.#resource = resource;
  }

  /**
   * Returns the record as the processors leave it. If one of them throws, the record has no content: it may be the one that
   * redacts. `isEnded` false: the span is shown before its end, and is processed again then.
   */
  readonly process = (record: SpanRecord, isEnded: boolean): SpanRecord =>
    runContext.exit(() => {
      const span = writableSpan(record, this.#resource);
      const passed = this.#each((processor) => {
        processor.onStart(span as never, ROOT_CONTEXT as never);
        processor.onEnding?.(span as never);
      });
      const processed = passed ? recordOf(span, record) : withoutContent(record);
      if (isEnded) {
        const readable = readableSpan(processed, this.#resource);
        this.#each((processor) => processor.onEnd(readable as never));
      }
      return processed;
    });

  #each(work: (processor: Processor) => void): boolean {
    let passed = true;
    for (const processor of this.#processors) {
      try {
        work(processor);
      } catch (error) {
        passed = false;
        if (!this.#hasFailed)
          console.error("A processor of telemetry.spanProcessors failed; spans lose their content:", error);
        this.#hasFailed = true;
      }
    }
    return passed;
  }
}

/** A span in the form of OpenTelemetry's SDK that is not ended, of which `name`, `attributes`, `events` and `status` can be changed. */
function writableSpan(record: SpanRecord, resource: ExportedResource) {
  const { attributes, events, ...readable } = readableSpan(structuredClone(record), resource);
  const span = {
    ...readable,
    ended: false,
    attributes: attributes as Record<string, AttributeValue>,
    events,
    isRecording: () => true,
    setAttribute(name: string, value: AttributeValue) {
      span.attributes[name] = value;
      return span;
    },
    setAttributes(values: Record<string, AttributeValue>) {
      Object.assign(span.attributes, values);
      return span;
    },
    updateName(name: string) {
      span.name = name;
      return span;
    },
    setStatus(status: SpanStatus) {
      span.status = { message: undefined, ...status };
      return span;
    },
    addEvent(name: string, values: Record<string, AttributeValue> = {}, time?: TimeInput) {
      const at = timeOf(time);
      const seconds = Math.floor(at / 1_000);
      events.push({
        name,
        attributes: attributesOf(values),
        time: [seconds, (at - seconds * 1_000) * 1_000_000],
        droppedAttributesCount: 0,
      });
      return span;
    },
    addLink: () => span,
    addLinks: () => span,
    recordException: () => {},
    end: () => {},
  };
  return span;
}

const STATUSES = {
  [SpanStatusCode.UNSET]: "unset",
  [SpanStatusCode.OK]: "ok",
  [SpanStatusCode.ERROR]: "error",
} as const;

function recordOf(span: ReturnType<typeof writableSpan>, record: SpanRecord): SpanRecord {
  const { message, ...rest } = record;
  const own = (attributes: Attributes) =>
    Object.fromEntries(Object.entries(attributes).filter(([name]) => name.startsWith(OWN)));
  const others = Object.fromEntries(
    Object.entries(span.attributes).filter(([name]) => !name.startsWith(OWN)),
  );
  const kept = span.status.message;
  return {
    ...rest,
    name: cutMiddle(String(span.name), TELEMETRY_LIMITS.nameBytes),
    status: STATUSES[span.status.code] ?? record.status,
    ...(kept ? { message: cutMiddle(String(kept), TELEMETRY_LIMITS.attributeValueBytes) } : {}),
    attributes: { ...attributesOf(others), ...own(record.attributes) },
    events: span.events.slice(0, TELEMETRY_LIMITS.eventsPerSpan).map(({ name, time, attributes }) => ({
      name: cutMiddle(String(name), TELEMETRY_LIMITS.nameBytes),
      time: timeOf(time),
      attributes: attributesOf(attributes),
    })),
  };
}

function withoutContent({ message: _, ...record }: SpanRecord): SpanRecord {
  const own = Object.entries(record.attributes).filter(([name]) => name.startsWith(OWN));
  return { ...record, attributes: Object.fromEntries(own), events: [] };
}
