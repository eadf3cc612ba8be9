import { LIVE_LIMITS, LiveClientMessage } from "@acme/sdk/contract/live";
import type { LiveFailure } from "./rpc.ts";

/** By far the most frequent message. */
const ACK = /^\{"type":"ack","count":([1-9]\d{0,5})\}$/;

/** Parses and validates a client's message. `id`: the subscription that an invalid message is about. */
export function parseClientMessage(text: string): LiveClientMessage | (LiveFailure & { id?: string }) {
  const failure = (code: string, message: string): LiveFailure => ({ error: { status: 400, code, message } });
  if (text.length > LIVE_LIMITS.messageLength) {
    return failure("message_too_large", `A message has at most ${LIVE_LIMITS.messageLength} characters.`);
  }
  const ack = ACK.exec(text);
  if (ack) return { type: "ack", count: Number(ack[1]) };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return failure("invalid_json", "A message is a JSON text.");
  }
  const parsed = LiveClientMessage.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  const invalid = failure("invalid_message", `The message is invalid. ${issues}`);
  const id = typeof value === "object" && value !== null && "id" in value ? value.id : undefined;
  return typeof id === "string" ? { ...invalid, id: id.slice(0, 64) } : invalid;
}
