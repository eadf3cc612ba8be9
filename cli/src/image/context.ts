import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-stream";

/** A file of an image's build: its path in the context, and its content. */
export interface ContextFile {
  name: string;
  content: Uint8Array;
  mode: number;
}

/** Returns all files of a folder as files of a build. */
export const filesOf = (folder: string): ContextFile[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return {
        name: relative(folder, path).split(sep).join("/"),
        content: readFileSync(path),
        mode: statSync(path).mode & 0o111 ? 0o755 : 0o644,
      };
    });

/** Sorts the files, so that the same project always gives the same hash. */
export const inOrder = (files: readonly ContextFile[]): ContextFile[] =>
  [...files].sort((a, b) => (a.name < b.name ? -1 : 1));

/** Returns the SHA-256 (hex) of the names, modes and contents. */
export function hashOf(files: readonly ContextFile[]): string {
  const hash = createHash("sha256");
  for (const { content, mode, name } of inOrder(files)) {
    hash.update(`${name}\0${mode}\0${content.byteLength}\0`);
    hash.update(content);
  }
  return hash.digest("hex");
}

/**
 * Returns a tar stream of the files for the Engine. Times are left out, because they would invalidate its
 * cache.
 */
export function tarOf(files: readonly ContextFile[]): NodeJS.ReadableStream {
  const tar = pack();
  for (const { content, mode, name } of inOrder(files))
    tar.entry({ name, mode, mtime: new Date(0) }, Buffer.from(content));
  tar.finalize();
  return Readable.from(tar);
}
