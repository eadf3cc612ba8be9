import type { Attributes, AttributeValue } from "../../contract/telemetry.ts";
import { TELEMETRY_LIMITS } from "../../contract/telemetry-limits.ts";
import { cutMiddle } from "../../contract/text.ts";

const NOT_KEPT = "acme.attributes.dropped";

/** Sets the recordable part of a value. Attributes beyond the limit are only counted. */
export function setAttribute(attributes: Attributes, name: string, value: unknown): void {
  const kept = keptValue(value);
  if (kept === undefined || name === "" || name.length > TELEMETRY_LIMITS.attributeNameBytes) return;
  if (!(name in attributes) && Object.keys(attributes).length >= TELEMETRY_LIMITS.attributes - 1) {
    attributes[NOT_KEPT] = Number(attributes[NOT_KEPT] ?? 0) + 1;
    return;
  }
  attributes[name] = kept;
}

export function attributesOf(given: Readonly<Record<string, unknown>> | undefined): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(given ?? {})) setAttribute(attributes, name, value);
  return attributes;
}

function keptValue(value: unknown): AttributeValue | undefined {
  if (!Array.isArray(value)) return keptScalar(value);
  return value
    .slice(0, TELEMETRY_LIMITS.attributeItems)
    .map(keptScalar)
    .filter((item) => item !== undefined);
}

function keptScalar(value: unknown): string | number | boolean | undefined {
  if (typeof value === "string") return cutMiddle(value, TELEMETRY_LIMITS.attributeValueBytes);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  return typeof value === "boolean" ? value : undefined;
}
