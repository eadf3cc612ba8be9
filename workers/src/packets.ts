import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { LIMITS, newId } from "@acme/sdk/contract";
import type { Bindings } from "./bindings.ts";
import { openBlobs } from "./storage/blobs.ts";

export interface Packet {
  text: string;
  type: string;
}

/** The type of a packet whose text is a key in the blob store. */
export const STORED = "application/store";

const encoder = new TextEncoder();

/** A text too large for a queue's database goes to the blob store, and its key takes its place. */
export async function offload(
  env: Bindings,
  environment: Pick<EnvironmentRef, "key">,
  packet: Packet,
): Promise<Packet> {
  if (packet.text.length <= LIMITS.inlineBytes / 4) return packet;
  const bytes = encoder.encode(packet.text);
  if (bytes.byteLength <= LIMITS.inlineBytes) return packet;
  const key = `packets/${environment.key}/${newId("packet")}.${packet.type === "application/super+json" ? "superjson" : "json"}`;
  await openBlobs(env).put(key, bytes);
  return { text: key, type: STORED };
}

/** A packet's text and type, fetched from the blob store where it lies there. */
export async function resolve(env: Bindings, environmentKey: string, packet: Packet): Promise<Packet> {
  if (packet.type !== STORED) return packet;
  if (!packet.text.startsWith(`packets/${environmentKey}/`))
    throw new Error(`Packet ${packet.text} is of another environment`);
  const stream = await openBlobs(env).get(packet.text);
  if (!stream) throw new Error(`Packet ${packet.text} is not in the blob store`);
  const type = packet.text.endsWith(".superjson") ? "application/super+json" : "application/json";
  return { text: await new Response(stream).text(), type };
}
