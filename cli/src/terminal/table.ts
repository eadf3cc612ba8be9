import { stripVTControlCharacters } from "node:util";
import { relativeTime } from "./format.ts";
import { isInteractive, style } from "./style.ts";

export interface Column<T> {
  title: string;
  value: (row: T) => string;
  /** Styles a cell. It is called after the cell was padded and cut, so it must not change its width. */
  style?: (text: string, row: T) => string;
  align?: "right";
  /**
   * True: the column is cut with an ellipsis if the table is too wide for the terminal. At most one column of
   * a table.
   */
  flexible?: boolean;
}

const GAP = "  ";
const LEAST_FLEXIBLE = 6;

/**
 * Returns a table as lines of text. `width`: columns of the terminal; 0: nothing is cut, and there is no
 * header, because a program reads the lines.
 */
export function table<T>(columns: Column<T>[], rows: readonly T[], width: number): string[] {
  const cells = rows.map((row) => columns.map(({ value }) => printable(value(row))));
  const widths = columns.map(({ title }, i) =>
    Math.max(width > 0 ? title.length : 0, ...cells.map((row) => (row[i] as string).length)),
  );
  const total = widths.reduce((sum, each) => sum + each, 0) + GAP.length * (columns.length - 1);
  const flexible = columns.findIndex((column) => column.flexible);
  if (width > 0 && total > width && flexible !== -1)
    widths[flexible] = Math.max(LEAST_FLEXIBLE, (widths[flexible] as number) - (total - width));
  const line = (texts: string[], styleOf: (text: string, i: number) => string): string =>
    texts
      .map((text, i) => styleOf(fitted(text, widths[i] as number, columns[i]?.align), i))
      .join(GAP)
      .trimEnd();
  const header =
    width > 0
      ? [
          line(
            columns.map(({ title }) => title),
            (text) => style("dim", text),
          ),
        ]
      : [];
  return [
    ...header,
    ...cells.map((row, r) => line(row, (text, i) => columns[i]?.style?.(text, rows[r] as T) ?? text)),
  ];
}

/** Text from a server may contain line breaks and control characters, which would destroy the table or worse. */
const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");

/** A time in a table: relative on a terminal, complete where a program reads it. */
export function timeCell(time: string | Date): string {
  const at = new Date(time);
  return isInteractive() ? relativeTime(at, Date.now()) : at.toISOString();
}

/** Returns the text, or its beginning with an ellipsis. */
export const shortened = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text;

function fitted(text: string, width: number, align: "right" | undefined): string {
  if (text.length > width) return shortened(text, width);
  return align === "right" ? text.padStart(width) : text.padEnd(width);
}

/**
 * Returns names and values, one pair per line, with the values aligned. Pairs without a value are left out.
 */
export function facts(pairs: [name: string, value: string | undefined][]): string[] {
  const shown = pairs.filter((pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "");
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${style("dim", name.padEnd(width))}  ${value}`);
}
