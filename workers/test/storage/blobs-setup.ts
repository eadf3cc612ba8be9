import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Absolute path of the disk service's folder. */
    blobsFolder: string;
  }
}

/** A folder for the disk service, which is removed after the tests. */
export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "acme-blobs-"));
  project.provide("blobsFolder", folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
