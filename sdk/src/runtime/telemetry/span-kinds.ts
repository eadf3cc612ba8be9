import { SpanKind } from "@opentelemetry/api";
import type { SpanRecord } from "../../contract/telemetry.ts";

type KindName = SpanRecord["kind"];

/** OpenTelemetry's kind of a span by its name in records. */
export const SPAN_KINDS: Readonly<Record<KindName, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

const NAMES = new Map(Object.entries(SPAN_KINDS).map(([name, kind]) => [kind, name as KindName]));

/** Returns the name of a kind; "internal" for an unknown one, which a library of another version may pass. */
export const spanKindName = (kind: SpanKind = SpanKind.INTERNAL): KindName => NAMES.get(kind) ?? "internal";
