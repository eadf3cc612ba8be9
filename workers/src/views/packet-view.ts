import { deserialize } from "superjson";
import type { Bindings } from "../bindings.ts";
import { type Packet, resolve } from "../storage/packets.ts";

/**
 * The packet that a run or token refers to, for those who read it. Where the blob store no longer has it, its reference
 * is shown as text.
 */
export async function shownPacket(env: Bindings, environmentKey: string, packet: Packet): Promise<Packet> {
  return (await resolve(env, environmentKey, packet)) ?? { text: packet.text, type: "text/plain" };
}

/**
 * JSON that shows a packet's value; undefined for the value `undefined`. JSON is returned as it was written. Values of
 * superjson that JSON cannot express are replaced by the closest ones that it can. A text that is not valid for its type is
 * shown as a string, so everything that was stored can be read.
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
    // Neither a type's claim nor the depth of a value may keep a run from being read.
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

/** The JSON of an object with more members, whose values are JSON already; those that are undefined are left out. */
export function jsonWith(object: object, members: Record<string, string | undefined>): string {
  const own = JSON.stringify(object).slice(1, -1);
  const more = Object.entries(members).flatMap(([name, json]) =>
    json === undefined ? [] : [`${JSON.stringify(name)}:${json}`],
  );
  return `{${[...(own === "" ? [] : [own]), ...more].join(",")}}`;
}
