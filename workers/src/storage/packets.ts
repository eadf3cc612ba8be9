import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { LIMITS, newId } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { isBlobKey } from "./blob-key.ts";
import { openBlobs } from "./blobs.ts";

export interface Packet {
  text: string;
  type: string;
}

/** The type of a packet whose text is a key in the blob store. */
export const STORED = "application/store";

/** The extension of a packet's key is its type, because the stores keep only bytes. */
const TYPES = {
  json: "application/json",
  superjson: "application/super+json",
  txt: "text/plain",
} as const;
type Extension = keyof typeof TYPES;

const EXTENSIONS: Record<string, Extension> = Object.fromEntries(
  Object.entries(TYPES).map(([extension, type]) => [type, extension as Extension]),
);

const extensionOf = (type: string): Extension => EXTENSIONS[type] ?? "txt";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** Returns whether a text has to be measured in bytes: a shorter one cannot exceed the inline limit. */
export const mayBeLarge = (text: string | null | undefined): boolean =>
  text != null && text.length > LIMITS.inlineBytes / 4;

/** Puts a text that is too large for a queue's database into the blob store, and returns a reference to it instead. */
export async function offload(
  env: Bindings,
  environment: Pick<EnvironmentRef, "key">,
  packet: Packet,
): Promise<Packet> {
  if (!mayBeLarge(packet.text)) return packet;
  const bytes = encoder.encode(packet.text);
  if (bytes.byteLength <= LIMITS.inlineBytes) return packet;
  const key = `packets/${environment.key}/${newId("packet")}.${extensionOf(packet.type)}`;
  await openBlobs(env).put(key, bytes);
  return { text: key, type: STORED };
}

/**
 * Returns a packet's text and type, fetched from the blob store if necessary; null for a reference that
 * belongs to another environment or leads to nothing.
 */
export async function resolve(env: Bindings, environmentKey: string, packet: Packet): Promise<Packet | null> {
  if (packet.type !== STORED) return packet;
  if (!packet.text.startsWith(`packets/${environmentKey}/`) || !isBlobKey(packet.text)) return null;
  const stream = await openBlobs(env).get(packet.text);
  if (!stream) return null;
  const extension = packet.text.slice(packet.text.lastIndexOf(".") + 1);
  const type = TYPES[extension as Extension] ?? TYPES.txt;
  return { text: await new Response(stream).text(), type };
}

/**
 * Returns the key of a client's upload. `path` is the path that the server gave the client, or the name that
 * it requested. The client's signed address allows writing only to this key, so an upload cannot replace what
 * the server stored.
 */
export function uploadKeyOf(environmentKey: string, path: string): string {
  const uploads = `packets/${environmentKey}/uploads/`;
  const name = path.startsWith(uploads) ? path.slice(uploads.length) : path;
  if (!/^[\w-][\w.-]{0,127}(\/[\w-][\w.-]{0,127}){0,3}\.(json|txt)$/.test(name)) {
    throw new Failure(
      400,
      "invalid_packet_name",
      "A packet's name is up to four segments of letters, digits, _, - and ., joined by /, and ends with .json or .txt.",
    );
  }
  return uploads + name;
}

/** Stores a client's upload. The content type, not the name, distinguishes superjson from JSON. */
export async function storeUpload(
  env: Bindings,
  key: string,
  bytes: Uint8Array<ArrayBuffer>,
  type: string,
): Promise<void> {
  const extension = extensionOf(type);
  if (extension !== "txt") checkJson(bytes);
  await openBlobs(env).put(withExtension(key, extension), bytes);
}

/** Returns the key of the upload under this path, of any type. Throws a 400 if there is none. */
export async function uploadedKey(env: Bindings, environmentKey: string, path: string): Promise<string> {
  const key = uploadKeyOf(environmentKey, path);
  const blobs = openBlobs(env);
  for (const extension of Object.keys(TYPES)) {
    const candidate = withExtension(key, extension);
    if ((await blobs.size(candidate)) !== null) return candidate;
  }
  throw new Failure(
    400,
    "packet_not_found",
    `The payload names the packet ${path}, which was not uploaded to this environment. PUT /api/v2/packets/NAME gives an address to upload to.`,
  );
}

const withExtension = (key: string, extension: string): string =>
  `${key.slice(0, key.lastIndexOf("."))}.${extension}`;

function checkJson(bytes: Uint8Array): void {
  try {
    JSON.parse(decoder.decode(bytes));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(400, "invalid_json", `The packet is not valid JSON: ${reason}`);
  }
}
