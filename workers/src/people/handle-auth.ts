import { log } from "@acme/durable-objects/lib/log";
import type { Context } from "hono";
import { z } from "zod";
import type { App } from "../bindings.ts";
import { readBytes } from "../http/body.ts";
import { Failure } from "../http/failure.ts";
import { baseUrl } from "../http/links.ts";
import { mailerOf } from "../mail/mailer.ts";
import { openSql } from "../storage/sql-connection.ts";
import { answersWithSecrets, asksProvider, isOffered } from "./auth-paths.ts";
import { clientAddress } from "./client-address.ts";
import { ADDRESS_HEADER, makeAuth } from "./make-auth.ts";
import { providersOf } from "./providers.ts";
import { sendSignInLink } from "./send-sign-in-link.ts";
import { forgetSession } from "./session.ts";
import { sessionCookieOf } from "./session-cookie.ts";

const BODY_BYTES = 64 * 1024;
/** The timeout of another provider's endpoints for one step of a sign-in. */
const PROVIDER_MS = 15_000;

/**
 * Handles better-auth's routes. A request's own claim about the client's address is replaced by the known
 * one.
 */
export async function handleAuth(c: Context<App>): Promise<Response> {
  const path = c.req.path.slice("/api/auth".length);
  if (!isOffered(c.req.method, path)) {
    throw new Failure(
      404,
      "route_not_found",
      `There is no route ${c.req.method} /api/auth${path.slice(0, 100)}.`,
    );
  }
  const provider = asksProvider(path) ? await providerOf(c, path) : null;
  if (provider !== null && !providersOf(c.env).some(({ providerId }) => providerId === provider)) {
    throw new Failure(
      404,
      "provider_not_set_up",
      `Sign-in with "${provider.slice(0, 32)}" is not set up on this server. GET /api/v1/sign-in-methods lists what is.`,
    );
  }
  // If no mail can be sent, the response says so regardless of the address.
  const send = path === "/sign-in/magic-link" ? mailerOf(c.env) : undefined;
  const connection = openSql(c.env);
  const auth = makeAuth(c.env, connection, {
    origin: baseUrl(c),
    atProvider: asksProvider(path),
    cookie: sessionCookieOf(c),
    sendLink: send
      ? async (link) => c.executionCtx.waitUntil(sendSignInLink(c.env, connection, send, link))
      : undefined,
  });
  const body =
    c.req.method === "POST" ? await readBytes(c.req.raw, BODY_BYTES, "The request body") : undefined;
  const request = new Request(c.req.url, { method: c.req.method, headers: c.req.raw.headers, body });
  request.headers.delete(ADDRESS_HEADER);
  const address = clientAddress(c);
  if (address !== undefined) request.headers.set(ADDRESS_HEADER, address);
  const response = asksProvider(path)
    ? await askProvider(c, path, auth.handler(request))
    : await auth.handler(request);
  // Changes of the session, such as signing out, take effect in this isolate at once.
  if (c.req.method !== "GET") forgetSession(c);
  if (response.status >= 400) return inOwnShape(response);
  if (!response.ok || !answersWithSecrets(path)) return response;
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return new Response(JSON.stringify({ status: true }), { status: response.status, headers });
}

/** Returns the provider that a request to sign in or to link an account names. Null: it names none. */
async function providerOf(c: Context<App>, path: string): Promise<string | null> {
  if (c.req.method !== "POST" || path.startsWith("/callback/")) return null;
  const bytes = await readBytes(c.req.raw.clone(), BODY_BYTES, "The request body");
  const body = ProviderBody.safeParse(parsed(bytes));
  return body.success ? body.data.provider : null;
}

const ProviderBody = z.object({ provider: z.string() });

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/** Adds to better-auth's errors what every error of this API has: `error`, and when to try again. */
async function inOwnShape(response: Response): Promise<Response> {
  const headers = new Headers(response.headers);
  const seconds = headers.get("x-retry-after");
  if (seconds !== null) headers.set("retry-after", seconds);
  const text = await response.text();
  const body = AuthError.safeParse(parsed(new TextEncoder().encode(text)));
  if (!body.success) return new Response(text, { status: response.status, headers });
  headers.delete("content-length");
  const { message, code = "refused" } = body.data;
  const isLimited = response.status === 429;
  const error = isLimited
    ? { error: `Too many tries from this address. Try again in ${seconds ?? 60} s.`, code: "too_many_tries" }
    : { error: message, code };
  return Response.json({ message, ...error }, { status: response.status, headers });
}

const AuthError = z.object({ message: z.string(), code: z.string().optional() });

/** Returns null if there is no response in time. */
export async function answeredWithin(answer: Promise<Response>, ms: number): Promise<Response | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, ms, null);
  });
  try {
    return await Promise.race([answer, late]);
  } catch (error) {
    log.error("An identity provider could not be reached", { error });
    return null;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Returns the response of a route that calls another provider. A person whom the provider sent back sees the
 * reason on the sign-in page.
 */
async function askProvider(c: Context<App>, path: string, answer: Promise<Response>): Promise<Response> {
  const response = await answeredWithin(answer, PROVIDER_MS);
  // better-auth does not register a provider whose endpoints it could not discover.
  if (response && response.status < 500 && response.status !== 404) return response;
  if (path !== "/sign-in/social") return c.redirect(`${baseUrl(c)}/sign-in?error=provider_unreachable`, 302);
  throw new Failure(
    502,
    "provider_unreachable",
    "The identity provider does not answer. Try again, or sign in another way.",
  );
}
