import { Failure } from "./failure.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/**
 * Returns the JSON with which a webhook's body completes a token; null for an empty body. JSON is kept, a
 * form becomes an object of its fields, and any other text a string. Throws a 400 for a body that is not
 * valid for its content type.
 */
export function callbackOutput(body: Uint8Array, contentType: string): string | null {
  if (body.byteLength === 0) return null;
  const text = textOf(body);
  const type = contentType.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "application/x-www-form-urlencoded") {
    return JSON.stringify(Object.fromEntries(new URLSearchParams(text)));
  }
  try {
    JSON.parse(text);
    return text;
  } catch (error) {
    // Senders that state no content type send JSON or text.
    if (!type.endsWith("json")) return JSON.stringify(text);
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(400, "invalid_json", `The request body is not valid JSON: ${reason}`);
  }
}

function textOf(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch {
    throw new Failure(400, "invalid_body", "The request body is not UTF-8 text.");
  }
}
