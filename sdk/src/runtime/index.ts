/** For the packages that start the runtime and the indexer. Tasks do not import this. */
export { type IndexOptions, type IndexResult, indexBundle } from "./index-bundle.ts";
export type { IndexProblem } from "./manifest.ts";

/** The file that a container host starts: see `main.ts`. */
export const RUNTIME_ENTRY: URL = new URL("./main.ts", import.meta.url);
/** The file that `indexBundle` starts. */
export const INDEXER_ENTRY: URL = new URL("./indexer.ts", import.meta.url);
