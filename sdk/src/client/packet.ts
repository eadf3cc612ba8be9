import superjson from "superjson";

/** A serialized value: text and its type. Without data, the value is `undefined`. */
export interface Packet {
  data?: string;
  dataType: string;
}

export const JSON_TYPE = "application/json";
export const SUPERJSON_TYPE = "application/super+json";
export const TEXT_TYPE = "text/plain";
export const STORE_TYPE = "application/store";

/**
 * True if the value survives plain JSON unchanged, apart from `undefined` properties, which JSON drops.
 * Dates, Maps, Sets, BigInts, class instances, NaN, cycles and anything nested deeper than 100 levels need
 * superjson.
 */
export function isPlainJson(value: unknown, depth = 0): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "undefined":
      return depth > 0;
    case "object": {
      if (value === null) return true;
      if (depth > 100) return false;
      if (Array.isArray(value)) {
        for (const item of value) if (item === undefined || !isPlainJson(item, depth + 1)) return false;
        return true;
      }
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype !== Object.prototype && prototype !== null) return false;
      if ("toJSON" in value) return false;
      for (const key in value)
        if (!isPlainJson((value as Record<string, unknown>)[key], depth + 1)) return false;
      return true;
    }
    default:
      return false;
  }
}

/**
 * Serializes a payload or an output: text as it is, plain values as JSON, everything else as superjson.
 * @throws what a getter or the `toJSON` of the value throws
 */
export function encodePacket(value: unknown): Packet {
  if (value === undefined) return { dataType: JSON_TYPE };
  if (typeof value === "string") return { data: value, dataType: TEXT_TYPE };
  if (isPlainJson(value)) return { data: JSON.stringify(value), dataType: JSON_TYPE };
  return { data: superjson.stringify(value), dataType: SUPERJSON_TYPE };
}

/**
 * Returns the value of a packet.
 * @throws SyntaxError if the text does not match its type; Error for a packet that was stored elsewhere
 */
export function decodePacket(data: string | null | undefined, dataType: string): unknown {
  if (data === undefined || data === null) return undefined;
  switch (dataType) {
    case JSON_TYPE:
      return data === "" ? undefined : JSON.parse(data);
    case SUPERJSON_TYPE: {
      if (data === "") return undefined;
      const parsed: unknown = JSON.parse(data);
      if (typeof parsed !== "object" || parsed === null || !("json" in parsed)) return undefined;
      // Without `meta`, the value is plain JSON and need not be traversed.
      return "meta" in parsed && parsed.meta ? superjson.deserialize(parsed as never) : parsed.json;
    }
    case STORE_TYPE:
      throw new Error(`Cannot read a packet of type ${STORE_TYPE} (${data}): it has to be downloaded first`);
    default:
      return data;
  }
}
