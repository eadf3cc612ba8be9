import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { LIMITS } from "@acme/sdk/contract";
import type { TriggerBody, TriggerOptions } from "@acme/sdk/contract/api";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { offload, STORED, uploadedKey } from "../storage/packets.ts";

/** The payload as it is stored: one over the limit lies in the blob store. */
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
  // Clients send JSON payloads either as they are or serialized already, with the type beside them.
  const serialized = typeof body.payload === "string" && options.payloadType !== undefined;
  return offload(env, environment, {
    text: serialized ? (body.payload as string) : JSON.stringify(body.payload),
    type,
  });
}

/** Throws a Failure where it isn't an object, or too large. */
export function metadataOf(options: TriggerOptions): string | undefined {
  if (options.metadata === undefined || options.metadata === null) return undefined;
  const text = typeof options.metadata === "string" ? options.metadata : JSON.stringify(options.metadata);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.metadataBytes) {
    throw new Failure(
      413,
      "metadata_too_large",
      `The metadata has ${bytes} bytes: at most ${LIMITS.metadataBytes} are allowed.`,
    );
  }
  const value = typeof options.metadata === "string" ? parsed(text) : options.metadata;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return text;
  throw new Failure(400, "invalid_metadata", "options.metadata must be a JSON object.");
}

/** Undefined where it isn't JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
