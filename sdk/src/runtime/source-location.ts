import { findSourceMap } from "node:module";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";

const known = new Map<string, string>();
const MAX_KNOWN = 10_000;

/**
 * Maps a position in the bundle (`file:///…/bundle.mjs:120:9`) to `src/trigger/order.ts:12:9`. Returns the
 * position itself if there is no source map.
 */
export function sourceLocation(site: string): string {
  let location = known.get(site);
  if (location === undefined) {
    location = mapped(site).slice(0, 512);
    if (known.size < MAX_KNOWN) known.set(site, location);
  }
  return location;
}

function mapped(site: string): string {
  const [, file, line, column] = /^(.*):(\d+):(\d+)$/.exec(site) ?? [];
  if (!file) return site;
  const entry = findSourceMap(file)?.findEntry(Number(line) - 1, Number(column) - 1);
  if (!entry || !("originalSource" in entry) || !entry.originalSource) return site;
  const source = entry.originalSource.startsWith("file:")
    ? relative(dirname(pathOf(file)), fileURLToPath(entry.originalSource))
    : entry.originalSource;
  // Paths in the bundle's map are relative to the project's folder. Paths outside of it lose their leading
  // "../".
  return `${source.replace(/^(\.\.\/)+/, "")}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}

const pathOf = (file: string): string => (file.startsWith("file:") ? fileURLToPath(file) : file);
