import type { EnvironmentRef } from "@acme/durable-objects/rpc";
import { LIMITS } from "@acme/sdk/contract";
import type { TriggerBody, TriggerOptions } from "@acme/sdk/contract/api";
import type { Bindings } from "./bindings.ts";
import { Failure } from "./failure.ts";
import { offload } from "./packets.ts";

/** The payload as it is stored: one over the limit lies in the blob store. */
export async function payloadOf(
  env: Bindings,
  environment: EnvironmentRef,
  body: TriggerBody,
  options: TriggerOptions,
) {
  if (body.payload === undefined) return undefined;
  const type = options.payloadType ?? "application/json";
  if (type === "application/store") {
    throw new Failure(
      400,
      "invalid_payload_type",
      'payloadType "application/store" is set by the server. Send the payload itself: large ones are stored for you.',
    );
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
  if (text.length > LIMITS.metadataBytes) {
    throw new Failure(
      413,
      "metadata_too_large",
      `The metadata has ${text.length} bytes: at most ${LIMITS.metadataBytes} are allowed.`,
    );
  }
  if (typeof options.metadata === "string") checkMetadata(text);
  return text;
}

function checkMetadata(text: string): void {
  try {
    const value: unknown = JSON.parse(text);
    if (value && typeof value === "object" && !Array.isArray(value)) return;
  } catch {
    // Falls through to the same answer: it isn't an object.
  }
  throw new Failure(400, "invalid_metadata", "options.metadata must be a JSON object.");
}
