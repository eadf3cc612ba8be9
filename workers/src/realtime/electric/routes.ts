import { log } from "@acme/durable-objects/lib/log";
import { mayReadRun, mayWatch, stubs } from "@acme/durable-objects/routing";
import type { LivePrincipal, LiveRpc } from "@acme/durable-objects/rpc";
import { parseDuration } from "@acme/sdk/contract/api";
import type { LiveFilter } from "@acme/sdk/contract/live";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { access } from "../../auth/middleware.ts";
import type { App } from "../../bindings.ts";
import { Failure, runNotFound } from "../../http/failure.ts";
import { answerOf } from "./answer.ts";
import { authenticateShape } from "./authenticate.ts";
import { HANDLE_MS, type Handle, readHandle, writeHandle } from "./handle.ts";
import { refusals } from "./refusal.ts";

/**
 * The routes that Trigger.dev's published clients poll for runs: the Electric protocol, without Electric. A
 * client that gets an unexpected response waits forever silently, so responses are complete, and failures are
 * a 503, which the client retries.
 */
const HOLD_MS = 45_000;
/** Jitter, so that clients that connected at the same time do not return at the same time. */
const HOLD_JITTER_MS = 10_000;
const MAX_RUNS = 1_000;
const MAX_LIST_ITEMS = 32;

export const electricRoutes = new Hono<App>()
  // The URL of each poll is new, so browsers send a preflight request before each. The Worker answers it
  // without calling any object.
  .use(
    "/realtime/*",
    cors({
      origin: "*",
      allowMethods: ["GET", "HEAD", "PUT", "POST", "OPTIONS"],
      exposeHeaders: [
        "electric-handle",
        "electric-offset",
        "electric-schema",
        "electric-cursor",
        "electric-up-to-date",
        "x-stream-version",
        "retry-after",
      ],
      maxAge: 86_400,
    }),
  )
  .use("/realtime/v1/runs/*", refusals)
  .use("/realtime/v1/batches/*", refusals)
  .get("/realtime/v1/runs/:runId", access("watchRun"), async (c) => {
    const runId = c.req.param("runId");
    const shape = await shapeOf(c, `run:${runId}`);
    const { handle, principal, after } = shape;
    const run = await answered(live(c, principal).waitForRun(runId, after, holdMs(c)));
    if (run === "missing") throw runNotFound(runId);
    if (run && !shape.authorized && !mayReadRun(principal, run)) throw notAllowed(`read:runs:${runId}`);
    if (!run && after < 0) throw runNotFound(runId);
    return answerOf(
      c,
      {
        handle: writeHandle(c.env, handle),
        offset: `${run?.version ?? after}_0`,
        runs: run ? [run] : [],
        update: after >= 0,
        live: isLive(c),
      },
      { skip: handle.skip ?? [], knowsDequeued: knowsDequeued(c) },
    );
  })
  .get("/realtime/v1/runs", access("watchRuns"), async (c) => {
    const tags = listOf(c, "tags");
    const shape = await shapeOf(c, `runs:${tags.toSorted().join(",")}`);
    const { handle } = shape;
    handle.from ??= createdAfter(c);
    const filter: LiveFilter = {
      ...(tags.length > 0 ? { allTags: tags } : {}),
      ...(handle.from === undefined ? {} : { from: handle.from }),
    };
    return listAnswer(c, shape, filter);
  })
  .get("/realtime/v1/batches/:batchId", access("watchBatch"), async (c) => {
    const batch = c.req.param("batchId").slice(0, 128);
    return listAnswer(c, await shapeOf(c, `batch:${batch}`), { batch });
  });

async function listAnswer(
  c: Context<App>,
  { handle, principal, authorized, after }: Shape,
  filter: LiveFilter,
): Promise<Response> {
  const target = filter.batch
    ? ({ kind: "batch", batchId: filter.batch } as const)
    : ({ kind: "runs", filter } as const);
  const refused = authorized ? null : mayWatch(principal, target);
  if (refused) throw new Failure(403, refused.error.code, refused.error.message);
  const position = after >= 0 && handle.epoch ? `${handle.epoch}:${after}` : null;
  const page = await answered(live(c, principal).waitForRuns(filter, MAX_RUNS, position, holdMs(c)));
  const [epoch = "", seq = "0"] = page.position.split(":");
  return answerOf(
    c,
    {
      handle: writeHandle(c.env, { ...handle, epoch }),
      offset: `${seq}_0`,
      runs: page.runs.toReversed(),
      // A run may be new to the client, so it gets all columns.
      update: false,
      live: isLive(c),
    },
    { skip: handle.skip ?? [], knowsDequeued: knowsDequeued(c) },
  );
}

interface Shape {
  /** The handle of the request, or a new one. */
  handle: Handle;
  principal: LivePrincipal;
  /** The handle was issued to this token, whose scopes were checked then. */
  authorized: boolean;
  /** The client's position; -1: none. */
  after: number;
}

/** Throws a 401. */
async function shapeOf(c: Context<App>, shape: string): Promise<Shape> {
  const now = Date.now();
  const given = readHandle(c.env, c.req.query("handle"), shape, now);
  const { principal, skipColumns, token } = await authenticateShape(c, given, now);
  const authorized = given !== null && given.token === token && given.until > now;
  const handle: Handle = {
    shape,
    token,
    env: principal.environment.key,
    until: authorized ? given.until : now + HANDLE_MS,
    skip: skipColumns ?? listOf(c, "skipColumns"),
    ...(given?.from === undefined ? {} : { from: given.from }),
    ...(given?.epoch === undefined ? {} : { epoch: given.epoch }),
  };
  return { handle, principal, authorized, after: authorized ? offsetOf(c) : -1 };
}

const live = (c: Context<App>, principal: LivePrincipal): LiveRpc =>
  stubs(c.env).live(principal.environment.key);

/** Returns an object's answer. A failure becomes a 503, so the client retries. */
async function answered<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    log.error("The object of a live subscription failed; its client asks again", { error });
    throw new Failure(503, "unavailable", "The server could not read the runs. Try again.");
  }
}

const isLive = (c: Context<App>): boolean => c.req.query("live") === "true";
const holdMs = (c: Context<App>): number => (isLive(c) ? HOLD_MS + Math.random() * HOLD_JITTER_MS : 0);
const knowsDequeued = (c: Context<App>): boolean =>
  (c.req.header("x-trigger-api-version") ?? "") >= "2025-07-16";

function offsetOf(c: Context<App>): number {
  const offset = /^(\d{1,15})_\d+$/.exec(c.req.query("offset") ?? "");
  return offset ? Number(offset[1]) : -1;
}

function listOf(c: Context<App>, name: string): string[] {
  const items = (c.req.query(name) ?? "").split(",").filter((item) => item !== "");
  if (items.length > MAX_LIST_ITEMS || items.some((item) => item.length > 128)) {
    throw new Failure(
      400,
      "invalid_request",
      `${name} has at most ${MAX_LIST_ITEMS} items of 128 characters.`,
    );
  }
  return [...new Set(items)];
}

/** Returns the lower bound for `createdAt=1h`; undefined if the parameter is absent or invalid. */
function createdAfter(c: Context<App>): number | undefined {
  const period = c.req.query("createdAt");
  const ms = period && period.length <= 100 ? parseDuration(period) : null;
  return ms === null ? undefined : Date.now() - ms;
}

const notAllowed = (scope: string): Failure =>
  new Failure(403, "not_allowed", `This public token does not allow that. It takes ${scope}.`);
