const HEADER = 8;

/**
 * Returns the text of a container's log, which consists of frames: a header (kind of stream, three zeros,
 * length as 32 bits) and that many bytes. A truncated frame at the end is left out.
 */
export function demultiplex(raw: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + HEADER <= raw.length; ) {
    const length = raw.readUInt32BE(at + 4);
    parts.push(raw.subarray(at + HEADER, at + HEADER + length));
    at += HEADER + length;
  }
  return Buffer.concat(parts).toString("utf8");
}
