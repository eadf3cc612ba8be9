import { waitUntil } from "cloudflare:workers";
import { log } from "@acme/durable-objects/lib/log";
import type { Bindings } from "../bindings.ts";
import { Cache } from "../http/cache.ts";
import { openRepository } from "../storage/open.ts";

/** Last recorded uses in this isolate. The database limits the writes of several isolates too. */
const RESOLUTION_MS = 60_000;

const noted = new Cache<true>(RESOLUTION_MS);

/**
 * Records, after the response, that a key or token was used: at most once a minute. Other requests cost one
 * lookup in memory.
 */
export function noteUse(env: Bindings, kind: "key" | "accessToken", hash: string): void {
  if (noted.get(hash)) return;
  noted.set(hash, true);
  waitUntil(
    openRepository(env)
      .markUsed(kind, hash)
      .catch((error: unknown) => log.error("The use of a key could not be recorded", { error })),
  );
}
