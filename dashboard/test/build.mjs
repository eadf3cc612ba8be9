import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Builds the dashboard if its sources changed: a fresh clone has neither its types nor the sizes that a test reads. */
export default function setup() {
  execFileSync(process.execPath, [fileURLToPath(new URL("../build.mjs", import.meta.url))]);
}
