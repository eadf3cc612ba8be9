/// <reference types="@cloudflare/vitest-plugin/types" />
import type { D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { DatabaseObject } from "../../src/storage/database-object.ts";

export interface TestBindings {
  DB: D1Database;
  /** Has no tables. */
  EMPTY_DB: D1Database;
  DATABASE: DurableObjectNamespace<DatabaseObject<unknown>>;
  HYPERDRIVE: Hyperdrive;
  BUNDLES: R2Bucket;
  BLOBS: Fetcher;
  MIGRATIONS: D1Migration[];
}

export const bindings = env as unknown as TestBindings;
