import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** The maximum nesting of messages. Only attribute values nest without a bound of their own. */
const MAX_DEPTH = 40;

type Scalar = "string" | "bytes" | "bool" | "double" | "int64" | "fixed64" | "sfixed64" | "enum";

/**
 * A field of a message: its name in OTLP's JSON, and its type. A recursive message is named by a function.
 */
interface Field {
  name: string;
  type: Scalar | (() => Message);
  repeated?: boolean;
}
/** Fields by number. Others are skipped. */
type Message = Record<number, Field>;

const one = (name: string, type: Field["type"]): Field => ({ name, type });
const many = (name: string, type: Field["type"]): Field => ({ name, type, repeated: true });

const ANY_VALUE: Message = {
  1: one("stringValue", "string"),
  2: one("boolValue", "bool"),
  3: one("intValue", "int64"),
  4: one("doubleValue", "double"),
  5: one("arrayValue", () => ({ 1: many("values", () => ANY_VALUE) })),
  6: one("kvlistValue", () => ({ 1: many("values", () => KEY_VALUE) })),
  7: one("bytesValue", "bytes"),
};
const KEY_VALUE: Message = { 1: one("key", "string"), 2: one("value", () => ANY_VALUE) };
const attributes = many("attributes", () => KEY_VALUE);
const RESOURCE: Message = { 1: attributes };
const SCOPE: Message = { 1: one("name", "string"), 2: one("version", "string") };

/** The common structure of all three requests: records by scope, by resource. */
const request = (resources: string, scopes: string, records: string, record: Message): Message => ({
  1: many(resources, () => ({
    1: one("resource", () => RESOURCE),
    2: many(scopes, () => ({ 1: one("scope", () => SCOPE), 2: many(records, () => record) })),
  })),
});

export const TRACES = request("resourceSpans", "scopeSpans", "spans", {
  1: one("traceId", "bytes"),
  2: one("spanId", "bytes"),
  4: one("parentSpanId", "bytes"),
  5: one("name", "string"),
  6: one("kind", "enum"),
  7: one("startTimeUnixNano", "fixed64"),
  8: one("endTimeUnixNano", "fixed64"),
  9: attributes,
  11: many("events", () => ({ 1: one("timeUnixNano", "fixed64"), 2: one("name", "string"), 3: attributes })),
  13: many("links", () => ({ 1: one("traceId", "bytes"), 2: one("spanId", "bytes"), 4: attributes })),
  15: one("status", () => ({ 2: one("message", "string"), 3: one("code", "enum") })),
});

export const LOGS = request("resourceLogs", "scopeLogs", "logRecords", {
  1: one("timeUnixNano", "fixed64"),
  2: one("severityNumber", "enum"),
  3: one("severityText", "string"),
  5: one("body", () => ANY_VALUE),
  6: attributes,
  9: one("traceId", "bytes"),
  10: one("spanId", "bytes"),
  11: one("observedTimeUnixNano", "fixed64"),
});

const NUMBER_POINTS = many("dataPoints", () => ({
  3: one("timeUnixNano", "fixed64"),
  4: one("asDouble", "double"),
  6: one("asInt", "sfixed64"),
  7: attributes,
}));

export const METRICS = request("resourceMetrics", "scopeMetrics", "metrics", {
  1: one("name", "string"),
  3: one("unit", "string"),
  5: one("gauge", () => ({ 1: NUMBER_POINTS })),
  7: one("sum", () => ({ 1: NUMBER_POINTS })),
  9: one("histogram", () => ({
    1: many("dataPoints", () => ({
      3: one("timeUnixNano", "fixed64"),
      4: one("count", "fixed64"),
      5: one("sum", "double"),
      6: many("bucketCounts", "fixed64"),
      7: many("explicitBounds", "double"),
      9: attributes,
    })),
  })),
  10: one("exponentialHistogram", () => ({})),
  11: one("summary", () => ({})),
});

/** Decodes a message into the form of OTLP's JSON. Throws if the bytes are not a valid message. */
export function decode(bytes: Uint8Array, message: Message): Record<string, unknown> {
  return readMessage(new BinaryReader(bytes), bytes.length, message, 0);
}

function readMessage(
  reader: BinaryReader,
  end: number,
  message: Message,
  depth: number,
): Record<string, unknown> {
  if (depth > MAX_DEPTH) throw new RangeError(`Messages are nested more than ${MAX_DEPTH} deep`);
  const value: Record<string, unknown> = {};
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = message[number];
    if (!field) {
      reader.skip(wireType, number);
      continue;
    }
    if (field.repeated) {
      const list = (value[field.name] as unknown[] | undefined) ?? [];
      value[field.name] = list;
      readRepeated(reader, field, wireType, list, depth);
    } else value[field.name] = readOne(reader, field, wireType, depth);
  }
  if (reader.pos !== end) throw new RangeError("A message ends in the middle of a field");
  return value;
}

function readRepeated(
  reader: BinaryReader,
  field: Field,
  wireType: WireType,
  list: unknown[],
  depth: number,
): void {
  const isPacked =
    wireType === WireType.LengthDelimited && (field.type === "fixed64" || field.type === "double");
  if (!isPacked) {
    list.push(readOne(reader, field, wireType, depth));
    return;
  }
  const end = endOf(reader);
  while (reader.pos < end) list.push(readScalar(reader, field.type as Scalar));
}

function readOne(reader: BinaryReader, field: Field, wireType: WireType, depth: number): unknown {
  const expected = typeof field.type === "function" ? WireType.LengthDelimited : WIRE_TYPES[field.type];
  if (wireType !== expected)
    throw new RangeError(`Field ${field.name} does not have the type that OTLP defines`);
  if (typeof field.type === "function") return readMessage(reader, endOf(reader), field.type(), depth + 1);
  return readScalar(reader, field.type);
}

function endOf(reader: BinaryReader): number {
  const length = reader.uint32();
  if (length > reader.len - reader.pos) throw new RangeError("A message is longer than what it is part of");
  return reader.pos + length;
}

const WIRE_TYPES: Record<Scalar, WireType> = {
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
  bool: WireType.Varint,
  int64: WireType.Varint,
  enum: WireType.Varint,
  double: WireType.Bit64,
  fixed64: WireType.Bit64,
  sfixed64: WireType.Bit64,
};

function readScalar(reader: BinaryReader, type: Scalar): unknown {
  switch (type) {
    case "string":
      return reader.string();
    case "bytes":
      return reader.bytes();
    case "bool":
      return reader.bool();
    case "double":
      return reader.double();
    case "int64":
      return reader.int64().toString();
    case "fixed64":
      return reader.fixed64().toString();
    case "sfixed64":
      return reader.sfixed64().toString();
    case "enum":
      return reader.int32();
  }
}
