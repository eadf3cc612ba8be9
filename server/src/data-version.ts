import { existsSync, readFileSync } from "node:fs";
import { ServerError } from "./errors.ts";
import { writePrivateJson } from "./private-file.ts";

/** Returns the numbers of a version: `0.4.2-beta.1` → [0, 4, 2]. */
const numbers = (version: string): number[] => version.split("-")[0]!.split(".").map(Number);

/** Returns whether `a` is a later release than `b`. A release and its previews count as one. */
export function isNewer(a: string, b: string): boolean {
  const [left, right] = [numbers(a), numbers(b)];
  const differs = left.findIndex((part, index) => part !== right[index]);
  return differs !== -1 && left[differs]! > (right[differs] ?? 0);
}

/**
 * Records that this version writes a data folder. Newer versions change its contents, which older ones then
 * can't read.
 * @throws ServerError if a newer version wrote it
 */
export function claimVersion(file: string, version: string): void {
  if (existsSync(file)) {
    const { version: last } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
    if (isNewer(last, version)) {
      throw new ServerError(
        `The data folder was written by version ${last}, and this is ${version}, which can't read it. Install ${last} or newer, or choose another folder with --data DIR.`,
      );
    }
  }
  writePrivateJson(file, { version });
}
