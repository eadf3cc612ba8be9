import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { isShallow, LIMITS, MAX_JSON_DEPTH } from "@acme/sdk/contract";
import type { TriggerBody, TriggerOptions } from "@acme/sdk/contract/api";
import type { Bindings } from "../bindings.ts";
import { jsonText } from "../http/body.ts";
import { Failure } from "../http/failure.ts";
import { offload, STORED, uploadedKey } from "../storage/packets.ts";

/**
 * Returns the payload for storage. A payload above the inline limit is put into the blob store, and its key
 * is stored instead.
 */
export async function payloadOf(
  env: Bindings,
  environment: EnvironmentRef,
  body: TriggerBody,
  options: TriggerOptions,
) {
  if (body.payload === undefined) return undefined;
  const type = options.payloadType ?? "application/json";
  if (type === STORED) {
    const text = await uploadedKey(env, environment.key, String(body.payload));
    return { text, type };
  }
  // Clients send JSON payloads either plain or already serialized, together with the type.
  const serialized = typeof body.payload === "string" && options.payloadType !== undefined;
  const text = serialized ? (body.payload as string) : jsonText(body.payload, "payload");
  return offload(env, environment, { text, type });
}

/**
 * Returns metadata as JSON for storage. Throws a Failure if it is not an object, too large or nested too
 * deeply.
 */
export function metadataOf(options: TriggerOptions): string | undefined {
  if (options.metadata === undefined || options.metadata === null) return undefined;
  const text =
    typeof options.metadata === "string" ? options.metadata : jsonText(options.metadata, "metadata");
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.metadataBytes) {
    throw new Failure(
      413,
      "metadata_too_large",
      `The metadata has ${bytes} bytes: at most ${LIMITS.metadataBytes} are allowed.`,
    );
  }
  const value = typeof options.metadata === "string" ? parsed(text) : options.metadata;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Failure(400, "invalid_metadata", "options.metadata must be a JSON object.");
  }
  if (!isShallow(value)) {
    throw new Failure(
      400,
      "invalid_metadata",
      `options.metadata must be nested at most ${MAX_JSON_DEPTH} deep.`,
    );
  }
  return text;
}

/** Returns undefined for text that is not JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
