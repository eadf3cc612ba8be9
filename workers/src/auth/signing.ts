/**
 * Signatures that only this server can make: HMAC-SHA256 under one of the server's signing keys.
 *
 * `SIGNING_KEYS` is a comma-separated list of `ID:SECRET` or `ID:SECRET@UNTIL`, for example
 * `k2:bmV3…,k1:b2xk…@2027-01-31`. ID has 1 to 32 characters of `A-Z a-z 0-9 _ -`; SECRET has at least 16 characters and
 * contains no comma, `@` or white space; UNTIL is an ISO 8601 date or date and time in UTC.
 * The first key signs. Every key verifies, until its UNTIL if it has one.
 * `SIGNING_KEY` alone is a list of one key with the ID `default`. Set beside `SIGNING_KEYS`, it only verifies, so a
 * rotation is: add `SIGNING_KEYS=k2:NEW`, and remove `SIGNING_KEY` once nothing that it signed is needed any more.
 */
import { createHmac } from "node:crypto";
import { sameSecret } from "./tokens.ts";

export interface SigningKey {
  id: string;
  secret: string;
  /** Milliseconds since the epoch after which it verifies nothing. Null: it never ends. */
  until: number | null;
}

export interface SigningBindings {
  SIGNING_KEYS?: string;
  SIGNING_KEY?: string;
}

export const MIN_SECRET_LENGTH = 16;
const KEY = /^([\w-]{1,32}):([^\s,@]+)(?:@(\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?))?$/;

/**
 * Returns the keys in order, the signing one first; or what is wrong with the configuration, without any
 * secret.
 */
export function parseSigningKeys(env: SigningBindings): SigningKey[] | { problem: string } {
  const keys: SigningKey[] = [];
  const listed = (env.SIGNING_KEYS ?? "").split(",").map((text) => text.trim());
  for (const [index, text] of listed.filter((entry) => entry !== "").entries()) {
    const match = KEY.exec(text);
    if (!match)
      return { problem: `Key ${index + 1} of SIGNING_KEYS is not of the form ID:SECRET or ID:SECRET@UNTIL.` };
    const [, id = "", secret = "", date] = match;
    const until = date === undefined ? null : Date.parse(date);
    if (Number.isNaN(until))
      return { problem: `The date after @ of key "${id}" in SIGNING_KEYS is not valid.` };
    keys.push({ id, secret, until });
  }
  if (env.SIGNING_KEY) keys.push({ id: "default", secret: env.SIGNING_KEY, until: null });
  if (keys.length === 0) return { problem: "SIGNING_KEYS (or SIGNING_KEY) is missing or empty." };
  for (const { id, secret } of keys) {
    if (secret.length < MIN_SECRET_LENGTH)
      return { problem: `The secret of signing key "${id}" has fewer than ${MIN_SECRET_LENGTH} characters.` };
    if (keys.filter((key) => key.id === id).length > 1)
      return { problem: `Two signing keys have the ID "${id}".` };
  }
  return keys;
}

/** The purpose of a signature. A signature made for one purpose does not verify for another. */
export type SigningPurpose = "callback" | "packet" | "shape" | "answer";

/** The header of a token that carries the key's ID. Only headers that this server writes are accepted. */
const headerOf = (id: string): string =>
  Buffer.from(JSON.stringify({ alg: "HS256", typ: "JWT", kid: id })).toString("base64url");

const hmac = (text: string, secret: string): string =>
  createHmac("sha256", secret).update(text).digest("base64url");

/** Signs and verifies with a list of keys. Time is passed in, in milliseconds since the epoch. */
export class Signer {
  readonly #current: SigningKey;
  readonly #currentHeader: string;
  readonly #byId: Map<string, SigningKey>;
  readonly #byHeader: Map<string, SigningKey>;

  /** `keys`: at least one; the first one signs. */
  constructor(keys: SigningKey[]) {
    this.#current = keys[0] as SigningKey;
    this.#currentHeader = headerOf(this.#current.id);
    this.#byId = new Map(keys.map((key) => [key.id, key]));
    this.#byHeader = new Map(keys.map((key) => [headerOf(key.id), key]));
  }

  /** `KEY-ID.SIGNATURE`, which fits into a URL's path. */
  sign(purpose: SigningPurpose, text: string): string {
    const { id, secret } = this.#current;
    return `${id}.${hmac(`${purpose}:${text}`, secret)}`;
  }

  verify(purpose: SigningPurpose, text: string, signature: string, now: number): boolean {
    const dot = signature.indexOf(".");
    const key = this.#byId.get(signature.slice(0, Math.max(dot, 0)));
    return isLive(key, now) && sameSecret(signature.slice(dot + 1), hmac(`${purpose}:${text}`, key.secret));
  }

  /** Returns secrets for a library that signs by itself, one per verifying key; the first one signs. */
  derivedSecrets(library: string, now: number): string[] {
    const live = [...this.#byId.values()].filter((key, index) => index === 0 || isLive(key, now));
    return live.map(({ secret }) => hmac(`library:${library}`, secret));
  }

  /** Returns a JWT (HS256) whose header names the key. */
  issueJwt(claims: object): string {
    const body = `${this.#currentHeader}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
    return `${body}.${hmac(body, this.#current.secret)}`;
  }

  /**
   * Returns the claims of a JWT that this server issued; null otherwise. The caller has to check whether it
   * has expired.
   */
  verifyJwt(token: string, now: number): unknown {
    const [header = "", claims = "", signature = "", ...rest] = token.split(".");
    const key = this.#byHeader.get(header);
    if (rest.length > 0 || !isLive(key, now)) return null;
    if (!sameSecret(signature, hmac(`${header}.${claims}`, key.secret))) return null;
    return JSON.parse(Buffer.from(claims, "base64url").toString());
  }
}

const isLive = (key: SigningKey | undefined, now: number): key is SigningKey =>
  key !== undefined && (key.until === null || now < key.until);

let known: { of: string; signer: Signer } | undefined;

/**
 * @throws Error if the keys are not configured; requests are refused earlier in that case (see
 * `configuration.ts`)
 */
export function signerOf(env: SigningBindings): Signer {
  const of = `${env.SIGNING_KEYS ?? ""}\n${env.SIGNING_KEY ?? ""}`;
  if (known?.of === of) return known.signer;
  const keys = parseSigningKeys(env);
  if ("problem" in keys) throw new Error(keys.problem);
  known = { of, signer: new Signer(keys) };
  return known.signer;
}

/**
 * Returns keys that encrypt data for this server itself, by the id of the signing key that each is derived
 * from; the first one encrypts.
 */
export function sealingKeys(env: SigningBindings): { id: string; key: Buffer }[] {
  const keys = parseSigningKeys(env);
  if ("problem" in keys) throw new Error(keys.problem);
  return keys
    .filter((key) => isLive(key, Date.now()))
    .map(({ id, secret }) => ({ id, key: createHmac("sha256", secret).update("seal").digest() }));
}
