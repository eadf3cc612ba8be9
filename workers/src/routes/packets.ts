import { LIMITS, newId } from "@acme/sdk/contract";
import { SignedPacketQuery } from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import { signerOf } from "../auth/signing.ts";
import type { App } from "../bindings.ts";
import { readBytes } from "../http/body.ts";
import { Failure, invalid, runNotFound } from "../http/failure.ts";
import { baseUrl } from "../http/links.ts";
import { ownerOf } from "../objects.ts";
import { isBlobKey } from "../storage/blob-key.ts";
import { openBlobs } from "../storage/blobs.ts";
import { resolve, STORED, storeUpload, uploadKeyOf } from "../storage/packets.ts";

/** How long a packet's address is valid. */
const ADDRESS_MS = 3_600_000;

type Use = "read" | "write";

/**
 * Routes for payloads and outputs that are too large to be sent inline. A packet's key leads to a signed
 * address that needs no credentials.
 */
export const packetRoutes = new Hono<App>()
  .get("/api/v1/packets/:name{.+\\.(?:json|superjson|txt)}", access("getPacketAddress"), async (c) => {
    const { environment } = c.var;
    const key = c.req.param("name");
    const own = key.startsWith(`packets/${environment.key}/`) && isBlobKey(key);
    if (!own || (await openBlobs(c.env).size(key)) === null) throw packetNotFound(key);
    return c.json({ presignedUrl: addressOf(c, key, "read") });
  })
  .get("/api/v1/runs/:runId/packets/:field", access("getRunPacketAddress"), async (c) => {
    const { environment } = c.var;
    const { runId, field } = c.req.param();
    const run = await ownerOf(c.env, environment.key, runId).retrieveRun(environment.key, runId);
    if (!run) throw runNotFound(runId);
    const packet =
      field === "payload"
        ? { text: run.payload, type: run.payloadType }
        : { text: field === "output" ? run.output : null, type: run.outputType };
    if (packet.text === null || packet.type !== STORED) {
      throw new Failure(
        404,
        "packet_not_found",
        `Run ${runId} has no large ${field === "output" || field === "payload" ? field : "payload or output of that name"}: what it has is in GET /api/v3/runs/${runId}.`,
      );
    }
    return c.json({ presignedUrl: addressOf(c, packet.text, "read") });
  })
  .put("/api/v1/packets/:name{.+}", access("createPacketAddressV1"), async (c) => {
    const { environment } = c.var;
    const key = uploadKeyOf(environment.key, c.req.param("name"));
    return c.json({ presignedUrl: addressOf(c, key, "write") });
  })
  .put("/api/v2/packets/:name{.+}", access("createPacketAddress"), async (c) => {
    const { environment } = c.var;
    const name = c.req.param("name");
    // The server makes the name unique: two clients may choose the same one.
    const unique = `${newId("packet")}${name.endsWith(".txt") ? ".txt" : ".json"}`;
    const storagePath = uploadKeyOf(environment.key, unique);
    return c.json({ presignedUrl: addressOf(c, storagePath, "write"), storagePath });
  })
  .get("/api/v1/packet", access("downloadPacket"), async (c) => {
    const key = signedKey(c, "read");
    const environmentKey = key.split("/")[1] ?? "";
    const packet = await resolve(c.env, environmentKey, { text: key, type: STORED });
    if (!packet) throw packetNotFound(key);
    return c.body(packet.text, 200, { "content-type": packet.type });
  })
  .put("/api/v1/packet", access("uploadPacket"), async (c) => {
    const key = signedKey(c, "write");
    const bytes = await readBytes(c.req.raw, LIMITS.packetBytes, "The packet");
    const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim() ?? "";
    await storeUpload(c.env, key, bytes, type);
    return c.json({ size: bytes.byteLength });
  });

const signed = (use: Use, key: string, expires: string): string => `${use}:${key}:${expires}`;

function addressOf(c: Context<App>, key: string, use: Use): string {
  const expires = String(Date.now() + ADDRESS_MS);
  const signature = signerOf(c.env).sign("packet", signed(use, key, expires));
  const query = new URLSearchParams({ key, expires, signature });
  return `${baseUrl(c)}/api/v1/packet?${query}`;
}

/**
 * Returns the key of a signed address. Throws a 403 if this server did not issue it for this use, or it has
 * expired.
 */
function signedKey(c: Context<App>, use: Use): string {
  const query = SignedPacketQuery.safeParse(c.req.query());
  if (!query.success) throw invalid(query.error);
  const { key, expires, signature } = query.data;
  const now = Date.now();
  if (!signerOf(c.env).verify("packet", signed(use, key, expires), signature, now) || Number(expires) < now) {
    throw new Failure(
      403,
      "invalid_address",
      `This address is not valid, or no longer. Ask for a new one: ${use === "read" ? "GET /api/v1/packets/KEY" : "PUT /api/v2/packets/NAME"}.`,
    );
  }
  return key;
}

const packetNotFound = (key: string): Failure =>
  new Failure(404, "packet_not_found", `Packet ${key} was not found in this environment.`);
