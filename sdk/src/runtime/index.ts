/** For the packages that start the runtime and the indexer. Tasks do not import this. */
export {
  Indexer,
  type IndexerOptions,
  type IndexOptions,
  type IndexResult,
  indexBundle,
} from "./index-bundle.ts";
export type { IndexProblem } from "./manifest.ts";

export { INDEXER_ENTRY, RUNTIME_ENTRY } from "./programs.ts";
