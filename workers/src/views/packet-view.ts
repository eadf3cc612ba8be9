import { deserialize } from "superjson";
import type { Bindings } from "../bindings.ts";
import { type Packet, resolve } from "../storage/packets.ts";

/**
 * Returns the packet that a run or token refers to, for readers. If the blob store no longer has it, its
 * reference is shown as text.
 */
export async function shownPacket(env: Bindings, environmentKey: string, packet: Packet): Promise<Packet> {
  return (await resolve(env, environmentKey, packet)) ?? { text: packet.text, type: "text/plain" };
}

/**
 * Returns JSON that shows a packet's value; undefined for the value `undefined`. JSON is returned unchanged.
 * Superjson values that JSON cannot express are replaced by the closest ones that it can. A text that is
 * invalid for its type is shown as a string, so everything that was stored can be read.
 */
export function jsonOfPacket({ text, type }: Packet): string | undefined {
  try {
    if (type === "application/json") {
      JSON.parse(text);
      return text;
    }
    if (type === "application/super+json") {
      return JSON.stringify(deserialize(JSON.parse(text) as Parameters<typeof deserialize>[0]), plain);
    }
  } catch {
    // Neither a wrong type nor the depth of a value may make a run unreadable.
  }
  return JSON.stringify(text);
}

/** Replaces what JSON.stringify refuses (a BigInt) or empties (a Map). Dates and URLs have become text before this. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value instanceof Map || value instanceof Set) return [...value];
  if (value instanceof RegExp) return String(value);
  if (value instanceof Error) return { name: value.name, message: value.message };
  return value;
}

/**
 * Returns the JSON of an object with additional members, whose values are JSON already; undefined ones are
 * left out.
 */
export function jsonWith(object: object, members: Record<string, string | undefined>): string {
  const own = JSON.stringify(object).slice(1, -1);
  const more = Object.entries(members).flatMap(([name, json]) =>
    json === undefined ? [] : [`${JSON.stringify(name)}:${json}`],
  );
  return `{${[...(own === "" ? [] : [own]), ...more].join(",")}}`;
}
