/** Shortens an id but keeps both ends, which distinguish ids: `run_a1b2…x9y8z7`. */
export function middle(text: string, head = 8, tail = 6): string {
  return text.length <= head + tail + 1 ? text : `${text.slice(0, head)}…${text.slice(-tail)}`;
}

/** The first `length` characters, and how many there are beyond them. */
export function clip(text: string, length: number): { text: string; rest: number } {
  return text.length <= length
    ? { text, rest: 0 }
    : { text: text.slice(0, length), rest: text.length - length };
}
