/** TypeScript in a checkout, JavaScript in the published package. */
const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";

/** The file that a container host starts: see `main.ts`. */
export const RUNTIME_ENTRY: URL = new URL(`./main.${extension}`, import.meta.url);
/** The file that an `Indexer` starts. */
export const INDEXER_ENTRY: URL = new URL(`./indexer.${extension}`, import.meta.url);
