import { newEnvironmentId, parseEnvironmentId } from "@acme/durable-objects/routing";
import type {
  EnvironmentRef,
  WaitpointOwnerRpc,
  WaitpointRecord,
  WaitpointRow,
} from "@acme/durable-objects/rpc";
import { DEFAULTS, LIMITS } from "@acme/sdk/contract";
import {
  AnswerTokenBody,
  CompleteTokenBody,
  CreateTokenBody,
  CreateTokenLinkBody,
  ListTokensQuery,
  parseDelay,
  parseDuration,
  type RetrieveTokenResponse,
  type TokenAnswerer,
  type TokenItem,
  type TokenLink,
  type TokenQuestion,
  type TokenStatus,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import { signerOf } from "../auth/signing.ts";
import { digest, issuePublicToken } from "../auth/tokens.ts";
import type { App } from "../bindings.ts";
import { actorOf } from "../control/audit.ts";
import { jsonText, readBody, readBytes } from "../http/body.ts";
import { callbackOutput } from "../http/callback-output.ts";
import { rangeOf } from "../http/created-range.ts";
import { Failure, invalid } from "../http/failure.ts";
import { baseUrl } from "../http/links.ts";
import { takeToken } from "../http/rate-limit.ts";
import { waitpointObjectOf } from "../objects.ts";
import { openRepository } from "../storage/open.ts";
import { offload } from "../storage/packets.ts";
import { shownPacket } from "../views/packet-view.ts";
import { isoTime, optionalTime } from "../views/time.ts";
import { answerLink, linkExpiry, verifiedExpiry } from "../waitpoints/answer-link.ts";
import { checkAnswer, checkSchema } from "../waitpoints/answer-schema.ts";

const PATH = "/api/v1/waitpoints/tokens";
const PUBLIC_TOKEN_SECONDS = 24 * 3_600;

export const waitpointRoutes = new Hono<App>()
  .post(PATH, access("createToken"), async (c) => {
    const { environment } = c.var;
    const body = await readBody(c, CreateTokenBody);
    const { token, isCached } = await createToken(c, environment, body);
    const publicAccessToken = issuePublicToken(c.env, environment.key, {
      scopes: [`write:waitpoints:${token.id}`],
      seconds: PUBLIC_TOKEN_SECONDS,
    });
    c.header("x-trigger-jwt", publicAccessToken);
    return c.json({ id: token.id, isCached, url: callbackUrl(c, token.id), publicAccessToken });
  })
  .get(PATH, access("listTokens"), async (c) => {
    const { environment } = c.var;
    const query = ListTokensQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { data } = query;
    const page = {
      limit: data["page[size]"] ?? 20,
      after: data["page[after]"],
      before: data["page[before]"],
    };
    const filter = {
      statuses: data["filter[status]"]?.map((status) => (status === "WAITING" ? "PENDING" : status)),
      tags: data["filter[tags]"],
      idempotencyKey: data["filter[idempotencyKey]"],
      ...rangeOf(data),
    };
    const listing = await openRepository(c.env).listWaitpoints(environment.key, filter, page);
    return c.json({
      data: listing.waitpoints.map((token) => itemOf(c, token)),
      pagination: { next: listing.next ?? undefined, previous: listing.previous ?? undefined },
    });
  })
  .get(`${PATH}/:id`, access("retrieveToken"), async (c) => {
    const id = c.req.param("id");
    const { environment } = c.var;
    const token = await ownerOf(c, environment.key, id).retrieveToken(environment.key);
    if (!token) throw tokenNotFound(id);
    const output =
      token.output === null ? undefined : await shownPacket(c.env, environment.key, packetOf(token));
    return c.json({
      ...itemOf(c, token),
      output: output?.text,
      outputType: output?.type,
      outputIsError: token.status === "PENDING" ? undefined : token.outputIsError,
      description: token.form.description,
      schema: token.form.schema,
      answeredBy: token.answeredBy ?? undefined,
    } satisfies RetrieveTokenResponse);
  })
  .post(`${PATH}/:id/complete`, access("completeToken"), async (c) => {
    const id = c.req.param("id");
    const { environment } = c.var;
    const { data } = await readBody(c, CompleteTokenBody, LIMITS.triggerBodyBytes);
    const { actorType, actorName } = actorOf(c);
    const answeredBy: TokenAnswerer = { type: actorType === "operator" ? "key" : actorType, name: actorName };
    await complete(c, environment.key, id, data === undefined ? null : jsonText(data, "data"), answeredBy);
    return c.json({ success: true });
  })
  .post(`${PATH}/:id/links`, access("createTokenLink"), async (c) => {
    const id = c.req.param("id");
    const { environment } = c.var;
    const { expiresIn } = await readBody(c, CreateTokenLinkBody);
    if (!(await ownerOf(c, environment.key, id).retrieveToken(environment.key))) throw tokenNotFound(id);
    const link = answerLink(signerOf(c.env), baseUrl(c), id, linkExpiry(expiresIn, Date.now()));
    return c.json({ url: link.url, expiresAt: isoTime(link.expiresAt) } satisfies TokenLink);
  })
  .get(`${PATH}/:id/question/:signature`, access("readTokenQuestion"), async (c) => {
    const { token, expiresAt } = await questionOf(c);
    return c.json(questionView(token, expiresAt));
  })
  .post(`${PATH}/:id/question/:signature`, access("answerTokenQuestion"), async (c) => {
    const { token, expiresAt } = await questionOf(c);
    const { data, name } = await readBody(c, AnswerTokenBody, ANSWER_BYTES);
    if (token.status !== "PENDING") {
      throw new Failure(
        409,
        "token_is_over",
        "It has already been answered, or has expired. Nothing was changed.",
      );
    }
    const answeredBy: TokenAnswerer = { type: "link", name: name || undefined };
    const json = data === undefined ? null : jsonText(data, "data");
    const completed = await complete(c, token.environmentKey, token.id, json, answeredBy);
    return c.json(questionView(completed, expiresAt));
  })
  .post(`${PATH}/:id/callback/:hash`, access("callBackToken"), async (c) => {
    const { id, hash } = c.req.param();
    const environmentKey = parseEnvironmentId(id)?.environmentKey;
    if (environmentKey === undefined || !signerOf(c.env).verify("callback", id, hash, Date.now())) {
      throw new Failure(
        401,
        "invalid_callback_url",
        "The callback URL is not one of this server: use `url` of the token exactly as it was given.",
      );
    }
    await takeToken(c, digest(`callback:${environmentKey}`));
    const body = await readBytes(c.req.raw, LIMITS.triggerBodyBytes, "The request body");
    const json = callbackOutput(body, c.req.header("content-type") ?? "");
    await complete(c, environmentKey, id, json, { type: "callback" });
    return c.json({ success: true });
  });

/** The maximum size of an answer through a link. */
const ANSWER_BYTES = 256 * 1024;
/** Limit of requests for one token through its links. */
const ANSWER_RATE = { burst: 30, perSecond: 1 };

/** Returns the token of a link. Throws a 401 for a wrong or expired link, before anything is looked up. */
async function questionOf(c: Context<App>): Promise<{ token: WaitpointRecord; expiresAt: number }> {
  const { id = "", signature = "" } = c.req.param() as Record<string, string>;
  const environmentKey = parseEnvironmentId(id)?.environmentKey;
  const expiresAt = verifiedExpiry(signerOf(c.env), id, signature, Date.now());
  if (environmentKey === undefined || expiresAt === null) {
    throw new Failure(
      401,
      "invalid_answer_link",
      "This link is invalid or has expired. Ask the person who sent it for a new one.",
    );
  }
  await takeToken(c, digest(`answer:${id}`), ANSWER_RATE);
  const token = await ownerOf(c, environmentKey, id).retrieveToken(environmentKey);
  if (!token) throw tokenNotFound(id);
  return { token, expiresAt };
}

const questionView = (token: WaitpointRecord, expiresAt: number): TokenQuestion => ({
  status: statusOf(token.status),
  ...token.form,
  createdAt: isoTime(token.createdAt),
  timeoutAt: optionalTime(token.timeoutAt),
  completedAt: optionalTime(token.completedAt),
  expiresAt: isoTime(expiresAt),
});

async function createToken(
  c: Context<App>,
  environment: EnvironmentRef,
  body: ReturnType<typeof CreateTokenBody.parse>,
): Promise<{ token: WaitpointRecord; isCached: boolean }> {
  const now = Date.now();
  const { idempotencyKey, idempotencyKeyTTL, timeout, tags, title, description, schema } = body;
  if (schema) checkSchema(schema);
  const ttl = idempotencyKeyTTL === undefined ? null : parseDuration(idempotencyKeyTTL);
  let expiresAt = now + (ttl ?? DEFAULTS.idempotencyKeyTtlMs);
  let id = newEnvironmentId("waitpoint", environment.key, now);
  let isCached = false;
  if (idempotencyKey !== undefined) {
    const home = waitpointObjectOf(c.env, `key:${environment.key}:${digest(idempotencyKey)}`);
    const claim = await home.claimKey({ id, expiresAt });
    id = claim.id;
    expiresAt = claim.expiresAt;
    isCached = !claim.claimed;
  }
  // Done for an earlier claim too, because its claimant may have died before it created the token.
  const token = await waitpointObjectOf(c.env, id).createToken({
    id,
    environmentKey: environment.key,
    timeoutAt: timeout === undefined ? null : parseDelay(timeout, now),
    idempotencyKey: idempotencyKey ?? null,
    idempotencyKeyExpiresAt: idempotencyKey === undefined ? null : expiresAt,
    tags: tags ?? [],
    form: { title, description, schema },
  });
  return { token, isCached };
}

/**
 * Completes the token. The first completion counts; a later one gets the same response and changes nothing.
 * Throws a 422 for an answer that the token's schema does not allow.
 */
async function complete(
  c: Context<App>,
  environmentKey: string,
  id: string,
  json: string | null,
  answeredBy: TokenAnswerer,
): Promise<WaitpointRecord> {
  const owner = ownerOf(c, environmentKey, id);
  const packet = json === null ? null : { text: json, type: "application/json" };
  // Checked before anything is stored, because the token may not exist or have ended.
  const known = await owner.retrieveToken(environmentKey);
  if (!known) throw tokenNotFound(id);
  if (known.status !== "PENDING") return known;
  if (known.form.schema) checkAnswer(known.form.schema, json);
  const stored = packet && (await offload(c.env, { key: environmentKey }, packet));
  const output = {
    data: stored?.text ?? null,
    dataType: stored?.type ?? "application/json",
    isError: false,
  };
  return (await owner.completeToken(environmentKey, output, answeredBy)) ?? known;
}

/**
 * Returns the object of a token of this environment. Throws a 404 for another environment's token, as for one
 * that never existed.
 */
function ownerOf(c: Context<App>, environmentKey: string, id: string): WaitpointOwnerRpc {
  const parts = parseEnvironmentId(id);
  if (parts?.prefix !== "waitpoint" || parts.environmentKey !== environmentKey) throw tokenNotFound(id);
  return waitpointObjectOf(c.env, id);
}

const tokenNotFound = (id: string): Failure =>
  new Failure(404, "token_not_found", `Waitpoint token ${id} was not found in this environment.`);

const packetOf = ({ output, outputType }: WaitpointRecord) => ({
  text: output ?? "",
  type: outputType ?? "application/json",
});

const callbackUrl = (c: Context<App>, id: string): string =>
  `${baseUrl(c)}${PATH}/${id}/callback/${signerOf(c.env).sign("callback", id)}`;

const statusOf = (status: WaitpointRecord["status"]): TokenStatus =>
  status === "PENDING" ? "WAITING" : status;

const itemOf = (c: Context<App>, token: WaitpointRecord | WaitpointRow): TokenItem => ({
  id: token.id,
  url: callbackUrl(c, token.id),
  status: statusOf(token.status),
  completedAt: optionalTime(token.completedAt),
  timeoutAt: optionalTime(token.timeoutAt),
  idempotencyKey: token.idempotencyKey ?? undefined,
  idempotencyKeyExpiresAt: optionalTime(token.idempotencyKeyExpiresAt),
  tags: token.tags,
  title: ("form" in token ? token.form.title : token.title) ?? undefined,
  createdAt: isoTime(token.createdAt),
});
