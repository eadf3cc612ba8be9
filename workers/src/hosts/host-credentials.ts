import { hostOfCredential } from "@acme/sdk/contract";
import type { Context } from "hono";
import { sha256 } from "../auth/tokens.ts";
import type { App, Bindings } from "../bindings.ts";
import { Cache } from "../http/cache.ts";
import { Failure } from "../http/failure.ts";
import { dispatcherObject } from "../objects.ts";

/** A revoked host is refused everywhere after at most this long; its session ends at once. */
const CACHE_MS = 10_000;

const verified = new Cache<string>(CACHE_MS);

/**
 * Returns the host that a credential belongs to. Throws a 401 with the code `host_not_registered` or
 * `host_revoked`.
 */
export async function hostOf(env: Bindings, credential: string): Promise<string> {
  const hash = sha256(credential);
  const known = verified.get(hash);
  if (known !== undefined) return known;
  const hostId = hostOfCredential(credential);
  const verdict = hostId === null ? "unknown" : await dispatcherObject(env).verifyHost(hostId, hash);
  if (hostId !== null && verdict === "ok") return verified.set(hash, hostId);
  if (verdict === "revoked") throw new Failure(401, "host_revoked", `Host ${hostId} was revoked.`);
  throw new Failure(
    401,
    "host_not_registered",
    "This is not the credential of a registered host. Register it first: POST /engine/v1/hosts with the host token.",
  );
}

/** Throws a 403 if a request names another host than its credential does. */
export function requireOwnHost(c: Context<App>, hostId: string): void {
  const own = c.get("host").hostId;
  if (own === hostId) return;
  throw new Failure(
    403,
    "not_your_host",
    `The credential belongs to host ${own}, but the request is about host ${hostId}. Nothing was changed.`,
  );
}
