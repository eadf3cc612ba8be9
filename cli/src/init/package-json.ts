import { readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { CliError } from "../errors.ts";

const Versions = z.record(z.string(), z.string());

/** The parts of a package.json that the CLI reads and changes; all others are kept as they are. */
export const PackageJson = z.looseObject({
  name: z.string().optional(),
  scripts: Versions.optional(),
  dependencies: Versions.optional(),
  devDependencies: Versions.optional(),
});
export type PackageJson = z.infer<typeof PackageJson>;

export interface PackageFile {
  json: PackageJson;
  /** The file's indentation. */
  indent: string;
}

/** @throws CliError if it is not a valid package.json */
export function readPackageJson(path: string): PackageFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new CliError(`${path} could not be read: ${(error as Error).message}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError(`${path} is not JSON (${(error as Error).message}). Correct it first.`);
  }
  const parsed = PackageJson.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new CliError(`${path} is not a package.json: ${issue?.path.join(".")}: ${issue?.message}`);
  }
  // The parsed object has its known keys first: the file keeps its order.
  const json: PackageJson = { ...(value as object), ...parsed.data };
  return { json, indent: /^[{[]\r?\n([ \t]+)/.exec(text)?.[1] ?? "  " };
}

export const writePackageJson = (path: string, { json, indent }: PackageFile): void =>
  writeFileSync(path, `${JSON.stringify(json, null, indent)}\n`);
