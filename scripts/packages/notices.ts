import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const Package = z.object({
  name: z.string(),
  version: z.string().optional(),
  license: z.unknown(),
});

const PACKAGE_FOLDER = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;

/**
 * Collects the licenses of the packages whose files become part of another package, as these licenses
 * require.
 */
export function noticesOf(root: string, sources: string[]): string {
  const folders = new Set(sources.flatMap((path) => PACKAGE_FOLDER.exec(path)?.[1] ?? []));
  return [...folders]
    .sort()
    .map((folder) => noticeOf(join(root, folder)))
    .join(`\n${"-".repeat(80)}\n\n`);
}

function noticeOf(folder: string): string {
  const { name, version, license } = Package.parse(
    JSON.parse(readFileSync(join(folder, "package.json"), "utf8")),
  );
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8") : "";
  return `${name} ${version ?? ""}\nLicense: ${typeof license === "string" ? license : "see below"}\n\n${text.trim()}\n`;
}
