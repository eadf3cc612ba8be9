import { waitUntil } from "cloudflare:workers";
import { log } from "@acme/durable-objects/lib/log";
import type { Bindings } from "../bindings.ts";
import { Cache } from "../http/cache.ts";
import { openRepository } from "../storage/open.ts";

/** In this isolate. The database keeps several isolates from writing more often, too. */
const RESOLUTION_MS = 60_000;

const noted = new Cache<true>(RESOLUTION_MS);

/** Records, after the answer, that a key or token was used: once a minute at most. Costs others one look into memory. */
export function noteUse(env: Bindings, kind: "key" | "accessToken", hash: string): void {
  if (noted.get(hash)) return;
  noted.set(hash, true);
  waitUntil(
    openRepository(env)
      .markUsed(kind, hash)
      .catch((error: unknown) => log.error("The use of a key could not be recorded", { error })),
  );
}
