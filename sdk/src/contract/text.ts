// The runtime imports this module at its start: it must not import zod, which takes longer to load than all
// the rest.

import { LIMITS } from "./limits.ts";

const ENCODER = new TextEncoder();
/** Room for the mark that {@link cutMiddle} leaves, whatever number it shows. */
const MARK_BYTES = 48;

/** Bytes of `text` in UTF-8. Allocates nothing, so it can measure text of any size. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    bytes++;
    if (code < 0x800) continue;
    bytes++;
    // Both halves of a surrogate pair take 4 bytes; a lone half is encoded as U+FFFD, which takes 3.
    if (isHighSurrogate(code) && isLowSurrogate(text.charCodeAt(i + 1))) i++;
  }
  return bytes;
}

/**
 * Returns `text` if it has at most `maxBytes` bytes in UTF-8. Otherwise returns its beginning and its end,
 * joined by a mark that says how much is missing ("… [12345 bytes cut] …"), in at most `maxBytes` bytes; no
 * character is torn apart. Both ends are kept because an error message begins with what failed and a stack
 * ends with where.
 */
export function cutMiddle(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  const bytes = utf8Bytes(text);
  if (bytes <= maxBytes) return text;
  const room = maxBytes - MARK_BYTES;
  if (room < 2) return text.slice(0, lengthOfHead(text, Math.max(0, maxBytes)));
  const headBytes = Math.ceil(room / 2);
  const head = text.slice(0, lengthOfHead(text, headBytes));
  const tail = text.slice(text.length - lengthOfTail(text, room - headBytes));
  return `${head}… [${bytes - utf8Bytes(head) - utf8Bytes(tail)} bytes cut] …${tail}`;
}

/** Returns true if the text has at most `maxBytes` bytes in UTF-8. */
export const fitsBytes = (text: string, maxBytes: number): boolean =>
  text.length * 3 <= maxBytes || (text.length <= maxBytes && utf8Bytes(text) <= maxBytes);

/**
 * The JSON of a thrown value, at most 64 KB. JSON that was cut is no longer JSON: it becomes a JSON string,
 * in which quotes take two bytes.
 */
export const cutJson = (raw: string): string =>
  fitsBytes(raw, LIMITS.errorStackBytes)
    ? raw
    : JSON.stringify(cutMiddle(raw, LIMITS.errorStackBytes / 2 - 2));

/** Number of UTF-16 units at the beginning of `text` that take at most `maxBytes`. */
function lengthOfHead(text: string, maxBytes: number): number {
  return ENCODER.encodeInto(text, new Uint8Array(maxBytes)).read;
}

function lengthOfTail(text: string, maxBytes: number): number {
  let at = text.length;
  for (let left = maxBytes; at > 0; ) {
    const code = text.charCodeAt(at - 1);
    const isPair = isLowSurrogate(code) && isHighSurrogate(text.charCodeAt(at - 2));
    const size = isPair ? 4 : code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
    if (size > left) break;
    left -= size;
    at -= isPair ? 2 : 1;
  }
  return text.length - at;
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff;
