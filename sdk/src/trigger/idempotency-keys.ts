import { webCrypto } from "#web-crypto";
import { NotFoundError } from "../client/api-errors.ts";
import { request } from "../client/request.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { currentRun } from "../run/state.ts";

declare const BRAND: unique symbol;
/** A key made by `idempotencyKeys.create()`: 64 hexadecimal characters. */
export type IdempotencyKey = string & { readonly [BRAND]: "IdempotencyKey" };

/**
 * `run`: once in the run that triggers. `attempt`: once in its attempt. `global`: once per environment and
 * task.
 */
export type IdempotencyKeyScope = "run" | "attempt" | "global";

export interface ResetIdempotencyKeyOptions {
  /** The scope of a key that was not made by `create()`. Default: `run`. */
  scope?: IdempotencyKeyScope;
  /** Needed outside of that run, for the scopes `run` and `attempt`. */
  parentRunId?: string;
  /** Needed outside of that attempt, for the scope `attempt`. */
  attemptNumber?: number;
}

/** What the keys of this process were made from. The oldest ones are dropped. */
const created = new Map<string, { key: string; scope: IdempotencyKeyScope }>();
const MAX_CREATED = 1_000;

async function sha256(text: string): Promise<IdempotencyKey> {
  const digest = await webCrypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  let hex = "";
  for (const byte of new Uint8Array(digest)) hex += byte.toString(16).padStart(2, "0");
  return hex as IdempotencyKey;
}

/**
 * Makes a key from any text. Inside a task, the scopes `run` (the default) and `attempt` add the run's id
 * (and the attempt's number) to it.
 */
async function create(
  key: string | string[],
  options?: { scope?: IdempotencyKeyScope },
): Promise<IdempotencyKey> {
  const scope = options?.scope ?? "run";
  const material = Array.isArray(key) ? key : [key];
  const ctx = currentRun()?.ctx;
  const suffix: string[] = [];
  if (ctx && scope !== "global") suffix.push(ctx.run.id);
  if (ctx && scope === "attempt") suffix.push(String(ctx.attempt.number));
  const hash = await sha256([...material, ...suffix].join("-"));
  created.delete(hash);
  created.set(hash, { key: material.join("-"), scope });
  if (created.size > MAX_CREATED) created.delete(created.keys().next().value as string);
  return hash;
}

/**
 * Returns the key that a trigger sends: keys made by `create()` (64 characters) as they are, others scoped to
 * the run.
 */
export async function toIdempotencyKey(key: string | string[] | undefined): Promise<string | undefined> {
  if (!key || key.length === 0) return undefined;
  if (typeof key === "string" && key.length === 64) return key;
  return create(key);
}

/** Returns the text and scope of a key that this process made. */
export const idempotencyKeyOptions = (key: string): { key: string; scope: IdempotencyKeyScope } | undefined =>
  created.get(key);

/**
 * Resets a key: the next trigger with it creates a new run.
 * @throws NotFoundError if no run of the task has the key; Error if the scope needs a run that is not known
 */
async function reset(
  taskIdentifier: string,
  key: IdempotencyKey | string | string[],
  options?: ResetIdempotencyKeyOptions,
  requestOptions?: ApiRequestOptions,
): Promise<{ id: string }> {
  const send = (hash: string) => sendReset(taskIdentifier, hash, requestOptions);
  const ready = typeof key === "string" && key.length === 64;
  if (ready && (created.has(key) || options?.scope === undefined)) return send(key);
  const scope = options?.scope ?? "run";
  const ctx = currentRun()?.ctx;
  const runId = options?.parentRunId ?? ctx?.run.id;
  const attempt = options?.attemptNumber ?? ctx?.attempt.number;
  const material = Array.isArray(key) ? [...key] : [key];
  if (scope !== "global") {
    const missing = [
      !runId && "parentRunId",
      scope === "attempt" && attempt === undefined && "attemptNumber",
    ].filter(Boolean);
    if (missing.length > 0) {
      if (ready) return send(key);
      throw new Error(
        `idempotencyKeys.reset: the scope "${scope}" needs ${missing.join(" and ")} when it is called outside of a task`,
      );
    }
    material.push(runId!);
    if (scope === "attempt") material.push(String(attempt));
  }
  const hash = await sha256(material.join("-"));
  if (!ready) return send(hash);
  // A text of 64 characters can be a key that was made elsewhere, or text that happens to be that long.
  try {
    return await send(key);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    return send(hash);
  }
}

async function sendReset(task: string, key: string, options?: ApiRequestOptions): Promise<{ id: string }> {
  const path = `/api/v1/idempotencyKeys/${encodeURIComponent(key)}/reset`;
  return (await request<{ id: string }>({ method: "POST", path, body: { taskIdentifier: task } }, options))
    .data;
}

export const idempotencyKeys = { create, reset };
