import { Hono } from "hono";
import { type App, authenticate } from "../auth.ts";
import { Failure } from "../failure.ts";
import { baseUrl } from "../links.ts";
import { resolve, STORED } from "../packets.ts";
import { openBlobs } from "../storage/blobs.ts";
import { sameSecret, sign } from "../tokens.ts";

/** For how long a packet's address works. */
const ADDRESS_MS = 3_600_000;

const signed = (key: string, expires: string): string => `packet:${key}:${expires}`;

/** Payloads and outputs too large to be told inline: their key, as others tell it, leads to an address that needs no token. */
export const packetRoutes = new Hono<App>()
  .get("/api/v1/packets/:key{.+\\.(?:json|superjson)}", async (c) => {
    const environment = await authenticate(c);
    const key = c.req.param("key");
    const own = key.startsWith(`packets/${environment.key}/`) && !key.includes("..");
    if (!own || (await openBlobs(c.env).size(key)) === null) throw packetNotFound(key);
    const expires = String(Date.now() + ADDRESS_MS);
    const query = new URLSearchParams({
      key,
      expires,
      signature: sign(signed(key, expires), c.env.SIGNING_KEY),
    });
    return c.json({ presignedUrl: `${baseUrl(c)}/api/v1/packet?${query}` });
  })
  .get("/api/v1/packet", async (c) => {
    const { key = "", expires = "", signature = "" } = c.req.query();
    if (
      !sameSecret(signature, sign(signed(key, expires), c.env.SIGNING_KEY)) ||
      Number(expires) < Date.now()
    ) {
      throw new Failure(
        403,
        "invalid_address",
        "This address is not valid, or no longer. Ask for a new one: GET /api/v1/packets/KEY.",
      );
    }
    const environmentKey = key.split("/")[1] ?? "";
    const { text, type } = await resolve(c.env, environmentKey, { text: key, type: STORED });
    return c.body(text, 200, { "content-type": type });
  });

const packetNotFound = (key: string): Failure =>
  new Failure(404, "packet_not_found", `Packet ${key} was not found in this environment.`);
