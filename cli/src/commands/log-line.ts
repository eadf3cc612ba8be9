import { stripVTControlCharacters } from "node:util";
import { isInteractive, style } from "../terminal/style.ts";

const LEVEL_FORMATS: Record<string, Parameters<typeof style>[0]> = {
  error: "red",
  warn: "yellow",
  debug: "gray",
};

/** Returns the time of day for a person, and the full time for a program. */
export const clock = (time: string): string => style("dim", isInteractive() ? time.slice(11, 23) : time);

export const levelText = (level: string): string => style(LEVEL_FORMATS[level] ?? "cyan", level.padEnd(5));

/**
 * Returns a message and its properties on one line, without control characters that could move the cursor.
 */
export function messageText(message: string, properties?: Record<string, unknown>): string {
  const more =
    properties && Object.keys(properties).length > 0 ? ` ${style("dim", JSON.stringify(properties))}` : "";
  return `${stripVTControlCharacters(message)}${more}`;
}
