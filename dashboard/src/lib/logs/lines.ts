import type { RunEvent } from "../api/environment-api.ts";

export type Level = "debug" | "info" | "warn" | "error";

export interface LogLine {
  /** Grows from line to line. */
  seq: number;
  time: number;
  level: Level;
  message: string;
  attempt?: number;
  properties?: Record<string, unknown>;
}

const ORDER: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export function levelOf(name: string | undefined): Level {
  const level = name?.toLowerCase();
  if (level === "error" || level === "fatal") return "error";
  if (level === "warn" || level === "warning") return "warn";
  if (level === "debug" || level === "trace") return "debug";
  return "info";
}

export function linesOf(events: readonly RunEvent[]): LogLine[] {
  return events
    .filter(({ type }) => type === "log")
    .map((event, index) => ({
      seq: index + 1,
      time: Date.parse(event.time),
      level: levelOf(event.level),
      message: event.message,
      attempt: event.attempt,
      properties: event.properties,
    }));
}

/** Returns lines of at least a level that contain a text, ignoring case. */
export function filterLines(lines: readonly LogLine[], least: Level, text: string): readonly LogLine[] {
  const needle = text.trim().toLowerCase();
  if (least === "debug" && needle === "") return lines;
  return lines.filter(
    ({ level, message }) =>
      ORDER[level] >= ORDER[least] && (needle === "" || message.toLowerCase().includes(needle)),
  );
}

/** As a text file: one line each, time and level first. */
export const asText = (lines: readonly LogLine[]): string =>
  lines
    .map(
      ({ time, level, message }) =>
        `${new Date(time).toISOString()} ${level.toUpperCase().padEnd(5)} ${message}`,
    )
    .join("\n");

export interface Piece {
  text: string;
  href?: string;
}

const LINK = /https?:\/\/[^\s"'<>()]+[^\s"'<>().,;:!?]/g;

/** Splits a text at its addresses; only http and https become links. */
export function withLinks(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    if (match.index > from) pieces.push({ text: text.slice(from, match.index) });
    pieces.push({ text: match[0], href: match[0] });
    from = match.index + match[0].length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}
