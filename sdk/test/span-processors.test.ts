import { SpanStatusCode } from "@opentelemetry/api";
import { describe, expect, it, vi } from "vitest";
import type { SpanRecord } from "../src/contract/telemetry.ts";
import type { TelemetrySettings } from "../src/define/telemetry-settings.ts";
import { resourceOf } from "../src/runtime/telemetry/otel-forms.ts";
import { SpanProcessors } from "../src/runtime/telemetry/span-processors.ts";

type Processor = NonNullable<TelemetrySettings["spanProcessors"]>[number];

/** What a processor written for OpenTelemetry's SDK relies on. */
interface SdkSpan {
  name: string;
  attributes: Record<string, unknown>;
  events: { name: string; attributes?: Record<string, unknown> }[];
  status: { code: SpanStatusCode; message?: string };
  resource: { attributes: object };
  ended: boolean;
  setAttribute(name: string, value: unknown): SdkSpan;
  spanContext(): { traceId: string; spanId: string };
}

const RECORD: SpanRecord = {
  traceId: "ab".repeat(16),
  spanId: "cd".repeat(8),
  parentSpanId: "ef".repeat(8),
  runId: "run_1",
  attempt: 2,
  service: null,
  name: "ask ada@example.com",
  kind: "client",
  startTime: 1_000.5,
  endTime: 2_000.25,
  status: "error",
  message: "no answer from ada@example.com",
  attributes: { "acme.kind": "attempt", mail: "ada@example.com", count: 2 },
  events: [{ time: 1_500.125, name: "exception", attributes: { "exception.message": "ada@example.com" } }],
  links: [{ traceId: "12".repeat(16), spanId: "34".repeat(8), attributes: { kept: true } }],
};

const processed = (processors: object[], isEnded = true): SpanRecord =>
  new SpanProcessors(processors as Processor[], resourceOf({})).process(structuredClone(RECORD), isEnded);

const idle = { onStart() {}, onEnd() {} };
const hidden = (value: unknown) =>
  typeof value === "string" ? value.replace(/[\w.]+@[\w.]+/g, "[email]") : value;

describe("span processors", () => {
  it("leave a span as it is where they change nothing", () => {
    expect(processed([idle])).toEqual(RECORD);
  });

  it("redact what a span contains before anybody gets it", () => {
    const redact = {
      ...idle,
      onEnding(span: SdkSpan) {
        for (const { attributes = {} } of [span, ...span.events])
          for (const [name, value] of Object.entries(attributes)) attributes[name] = hidden(value);
        span.name = String(hidden(span.name));
        span.status = { ...span.status, message: String(hidden(span.status.message)) };
        span.setAttribute("acme.kind", "mine").setAttribute("redacted", true);
      },
    };
    const seen: SdkSpan[] = [];
    const span = processed([redact, { ...idle, onEnd: (ended: SdkSpan) => seen.push(ended) }]);
    expect(JSON.stringify(span)).not.toContain("ada@");
    expect(span).toMatchObject({
      ...RECORD,
      name: "ask [email]",
      message: "no answer from [email]",
      attributes: { "acme.kind": "attempt", mail: "[email]", count: 2, redacted: true },
      events: [{ ...RECORD.events[0], attributes: { "exception.message": "[email]" } }],
    });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      name: "ask [email]",
      ended: true,
      status: { code: SpanStatusCode.ERROR },
    });
    expect(seen[0]?.spanContext()).toMatchObject({ traceId: RECORD.traceId, spanId: RECORD.spanId });
  });

  it("can drop events and messages", () => {
    const drop = {
      ...idle,
      onEnding(span: SdkSpan) {
        span.events.length = 0;
        span.status = { code: SpanStatusCode.UNSET };
      },
    };
    const span = processed([drop]);
    expect([span.events, span.status, "message" in span]).toEqual([[], "unset", false]);
  });

  it("are not called for the end of a span that is shown before it", () => {
    const onEnd = vi.fn();
    processed([{ ...idle, onEnd }], false);
    expect(onEnd).not.toHaveBeenCalled();
  });

  it("that throw cost the span its content, and not the run", () => {
    const said = vi.spyOn(console, "error").mockImplementation(() => {});
    const broken = {
      ...idle,
      onEnding() {
        throw new Error("broken");
      },
    };
    const { message: _, ...rest } = RECORD;
    expect(processed([broken])).toEqual({ ...rest, attributes: { "acme.kind": "attempt" }, events: [] });
    expect(said).toHaveBeenCalledOnce();
    said.mockRestore();
  });
});
