import { type Attributes, type AttributeValue, cutMiddle, TELEMETRY_LIMITS } from "@acme/sdk/contract";

/** Untrusted input: OTLP's JSON, or protobuf in the same form. */
export type Json = Record<string, unknown>;

const MAX_DEPTH = 16;
const LATEST = 8_640_000_000_000_000;

export const objectOf = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};

export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** Returns a finite number, given as a number or as digits; null for anything else. */
export function numberOf(value: unknown): number | null {
  if (typeof value === "string" && (value.trim() === "" || value.length > 40)) return null;
  const number = typeof value === "number" || typeof value === "string" ? Number(value) : Number.NaN;
  return Number.isFinite(number) ? number : null;
}

/** Returns nanoseconds since the epoch as milliseconds with fractions; null if it is not a time. */
export function timeOf(value: unknown): number | null {
  const nanoseconds = numberOf(value);
  if (nanoseconds === null || nanoseconds <= 0) return null;
  if (typeof value === "string" && /^\d{7,25}$/.test(value)) {
    // A time in nanoseconds exceeds the precision of a number.
    const ms = Number(value.slice(0, -6)) + Number(value.slice(-6, -3)) / 1_000;
    return ms <= LATEST ? ms : null;
  }
  return nanoseconds / 1_000_000 <= LATEST ? nanoseconds / 1_000_000 : null;
}

/**
 * Returns an id with this many hexadecimal digits, given as text or as bytes; null if it is invalid or all
 * zeros.
 */
export function idOf(value: unknown, digits: 16 | 32): string | null {
  const hex = value instanceof Uint8Array ? hexOf(value) : textOf(value).toLowerCase();
  return hex.length === digits && /^[0-9a-f]+$/.test(hex) && /[^0]/.test(hex) ? hex : null;
}

const hexOf = (bytes: Uint8Array): string =>
  bytes.length > 16 ? "" : [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Converts a list of keys and values. Attributes above the limits are dropped and counted. */
export function attributesOf(value: unknown, into: Attributes = {}): Attributes {
  let count = Object.keys(into).length;
  let bytes = 0;
  let dropped = 0;
  for (const entry of listOf(value)) {
    const { key, value: any } = objectOf(entry);
    const name = textOf(key);
    const kept = plainValue(any);
    if (kept === null || name === "") continue;
    bytes += name.length + (typeof kept === "string" ? kept.length : 16);
    if (
      name.length > TELEMETRY_LIMITS.attributeNameBytes ||
      count >= TELEMETRY_LIMITS.attributes - 1 ||
      bytes > TELEMETRY_LIMITS.attributesBytes / 2
    ) {
      dropped += 1;
      continue;
    }
    into[name] = kept;
    count += 1;
  }
  if (dropped > 0) into["acme.attributes.dropped"] = dropped;
  return into;
}

/** Returns an AnyValue as an attribute: lists of scalars stay lists, nested values become JSON. */
function plainValue(any: unknown): AttributeValue | null {
  const value = valueOfAny(any, 0);
  if (value === null || value === undefined) return null;
  if (Array.isArray(value) && value.every((item) => item === null || typeof item !== "object"))
    return value.slice(0, TELEMETRY_LIMITS.attributeItems).map(scalar);
  return scalar(value);
}

function scalar(value: unknown): string | number | boolean {
  if (typeof value === "number" || typeof value === "boolean") return value;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return cutMiddle(text, TELEMETRY_LIMITS.attributeValueBytes);
}

/** Returns the plain value of an AnyValue. Values that are nested too deeply are dropped. */
export function valueOfAny(any: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) return "[nested too deeply]";
  const { stringValue, boolValue, intValue, doubleValue, arrayValue, kvlistValue, bytesValue } =
    objectOf(any);
  if (typeof stringValue === "string") return stringValue;
  if (typeof boolValue === "boolean") return boolValue;
  if (intValue !== undefined) return safeInteger(intValue);
  if (doubleValue !== undefined) return numberOf(doubleValue) ?? String(doubleValue).slice(0, 32);
  if (arrayValue !== undefined)
    return listOf(objectOf(arrayValue).values).map((item) => valueOfAny(item, depth + 1));
  if (kvlistValue !== undefined)
    return Object.fromEntries(
      listOf(objectOf(kvlistValue).values).map((item) => {
        const { key, value } = objectOf(item);
        return [textOf(key), valueOfAny(value, depth + 1)];
      }),
    );
  if (bytesValue instanceof Uint8Array) return `[${bytesValue.length} bytes]`;
  return typeof bytesValue === "string" ? bytesValue : null;
}

/** An integer that exceeds the precision of a number stays text. */
function safeInteger(value: unknown): number | string | null {
  const number = numberOf(value);
  if (number === null) return null;
  return Number.isSafeInteger(number) ? number : String(value);
}
