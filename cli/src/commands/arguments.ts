import { readFileSync } from "node:fs";
import { InvalidArgumentError } from "commander";

/** Parses JSON from the command line. `-` reads standard input, `@FILE` reads a file. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(textOf(text));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code)
      throw new InvalidArgumentError(`the file could not be read (${(error as Error).message}).`);
    throw new InvalidArgumentError(
      `not JSON (${(error as Error).message}). Quote it, like '{"name":"World"}', or pass @file.json, or - for standard input.`,
    );
  }
}

function textOf(text: string): string {
  if (text === "-") return readFileSync(0, "utf8");
  return text.startsWith("@") ? readFileSync(text.slice(1), "utf8") : text;
}

export function parseLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 100) return limit;
  throw new InvalidArgumentError("a number from 1 to 100.");
}

/** For options that can be given several times, or with several comma-separated values. */
export const collect = (value: string, before: string[] | undefined): string[] => [
  ...(before ?? []),
  ...value.split(",").filter(Boolean),
];
