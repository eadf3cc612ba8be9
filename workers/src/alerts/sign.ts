const encoder = new TextEncoder();

async function hmac(key: Uint8Array<ArrayBuffer>, text: string): Promise<Buffer> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return Buffer.from(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)));
}

const SECRET_PREFIX = "whsec_";

export const newWebhookSecret = (): string =>
  SECRET_PREFIX + Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");

/**
 * The headers of a webhook: those of Standard Webhooks (id, time and signature over both and the body), and the one that the
 * published client checks (`webhooks.constructEvent`, with the secret as it is written).
 */
export async function signatureHeaders(
  secret: string,
  id: string,
  time: number,
  body: string,
): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(time / 1_000));
  const key = new Uint8Array(Buffer.from(secret.slice(SECRET_PREFIX.length), "base64"));
  const standard = await hmac(key, `${id}.${timestamp}.${body}`);
  const published = await hmac(new Uint8Array(encoder.encode(secret)), body);
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${standard.toString("base64")}`,
    "x-trigger-signature-hmacsha256": published.toString("hex"),
  };
}
