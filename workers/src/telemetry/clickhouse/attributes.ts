/**
 * Attributes are a map of strings in ClickHouse, so that queries can name each of them and an index finds
 * their values. A string is stored unchanged, everything else as JSON; a string that looks like JSON is
 * quoted.
 */
export function toMap(attributes: Record<string, unknown>): Record<string, string> {
  const map: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes)) {
    const text = encode(value);
    if (text !== undefined) map[name] = text;
  }
  return map;
}

export function fromMap(map: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).map(([name, text]) => [name, decode(text)]));
}

/**
 * Returns the forms in which a searched value may be stored: as text, or as the JSON of a text that looks
 * like JSON.
 */
export function storedForms(value: string): string[] {
  const asString = encode(value) as string;
  return asString === value ? [value] : [value, asString];
}

/** Returns undefined for values that JSON cannot express. */
function encode(value: unknown): string | undefined {
  if (typeof value !== "string") return JSON.stringify(value);
  const text = value.toWellFormed();
  return isJson(text) ? JSON.stringify(text) : text;
}

function decode(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isJson(text: string): boolean {
  // Most strings do not begin like JSON, and an exception for each would be slow.
  if (!/^\s*["[{tfn\d-]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
