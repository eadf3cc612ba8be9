import { readFileSync } from "node:fs";

/** The version of this package, or of the published one that it is part of. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }
).version;
