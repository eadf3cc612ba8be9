import { webCrypto } from "#web-crypto";

/** A webhook's signature is invalid, or its body is not JSON. */
export class WebhookError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WebhookError";
  }
}

const SIGNATURE_HEADER_NAME = "x-trigger-signature-hmacsha256";

type Text = string | { toString(): string };

/** The body and the signature of a request that is not a `Request` object. */
export interface RawWebhook {
  /** The raw body: bytes or text, not parsed. */
  payload: Text;
  /** Value of the header `x-trigger-signature-hmacsha256`. */
  header: Text | string[];
}

/** A verified webhook. The documentation of alerts describes the fields of each type. */
export interface Webhook {
  id: string;
  created: Date;
  webhookVersion: string;
  type: string;
  object: Record<string, unknown>;
}

async function readRequest(request: Request | RawWebhook): Promise<{ payload: string; signature: string }> {
  if (typeof Request !== "undefined" && request instanceof Request) {
    const signature = request.headers.get(SIGNATURE_HEADER_NAME);
    if (!signature) throw new WebhookError(`The request has no header ${SIGNATURE_HEADER_NAME}`);
    return { payload: await request.text(), signature };
  }
  const { header, payload } = request as RawWebhook;
  if (Array.isArray(header)) throw new WebhookError("The signature header came more than once");
  return { payload: payload.toString(), signature: header.toString() };
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> | null {
  if (!/^(?:[0-9a-f]{2})+$/i.test(hex)) return null;
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/**
 * Checks the signature of a webhook that this platform sent, and parses it.
 * @param secret of the alert that sends it
 * @throws WebhookError if it was not signed with the secret, or is not a webhook of this platform
 */
async function constructEvent(request: Request | RawWebhook, secret: string): Promise<Webhook> {
  if (!secret)
    throw new WebhookError("The secret is missing: pass the secret of the alert that sends the webhook");
  const { payload, signature } = await readRequest(request);
  const given = bytesOf(signature);
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await webCrypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["verify"]);
  // The comparison takes constant time.
  if (!given || !(await webCrypto.subtle.verify("HMAC", key, given, encoder.encode(payload))))
    throw new WebhookError("The signature does not match this payload and this secret");
  let event: unknown;
  try {
    event = JSON.parse(payload);
  } catch {
    throw new WebhookError("The payload is not JSON");
  }
  if (!isWebhook(event)) throw new WebhookError("The payload is not a webhook of this platform");
  return { ...event, created: new Date(event.created) };
}

function isWebhook(value: unknown): value is Omit<Webhook, "created"> & { created: string } {
  if (typeof value !== "object" || value === null) return false;
  const { id, type, created, object } = value as Record<string, unknown>;
  const isDate = typeof created === "string" && !Number.isNaN(Date.parse(created));
  return typeof id === "string" && typeof type === "string" && isDate && typeof object === "object";
}

/** Functions for receivers of the webhooks that this platform sends for alerts. */
export const webhooks = { constructEvent, SIGNATURE_HEADER_NAME };
