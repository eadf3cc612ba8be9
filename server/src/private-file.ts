import { renameSync, writeFileSync } from "node:fs";

/** Writes JSON that only its owner may read. A reader sees either the old or the new text, never a part. */
export function writePrivateJson(path: string, value: unknown): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}
