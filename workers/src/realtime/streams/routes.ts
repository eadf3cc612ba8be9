import { mayReadRun, newEnvironmentId, streamsOf, stubs } from "@acme/durable-objects/routing";
import type { EnvironmentRef, FeedRpc, RunRecord } from "@acme/durable-objects/rpc";
import { isFinal, STREAM_LIMITS, STREAMS_KEY } from "@acme/sdk/contract";
import { parseDelay } from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { access } from "../../auth/middleware.ts";
import type { App } from "../../bindings.ts";
import { readBody } from "../../http/body.ts";
import { Failure, runNotFound } from "../../http/failure.ts";
import { ownerOf, runFeed, waitpointObjectOf } from "../../objects.ts";
import { authenticateShape } from "../electric/authenticate.ts";
import { eventStream } from "./event-stream.ts";
import { incomingLines } from "./incoming-lines.ts";
import { inputKey, streamKey } from "./stream-key.ts";

const TARGET = ":target{self|parent|root}";
const InputBody = z.object({ data: z.unknown() });
const InputWaitBody = z.object({
  streamId: z.string().min(1).max(STREAM_LIMITS.keyLength),
  timeout: z.string().max(64).optional(),
  tags: z.array(z.string().min(1).max(128)).max(10).optional(),
  lastSeqNum: z.number().int().min(-1).optional(),
});

/**
 * Streams of a run: data that tasks write for readers, and data that others send to a task. They are stored
 * in the run's feed.
 */
export const streamRoutes = new Hono<App>()
  .post("/realtime/v1/streams/:runId/input/:key{.+}", access("sendInput"), async (c) => {
    const { environment } = c.var;
    const key = c.req.param("key");
    const run = await openRun(c, environment, c.req.param("runId"));
    const { data } = await readBody(c, InputBody, STREAM_LIMITS.recordCharacters);
    const record = JSON.stringify(JSON.stringify(data ?? null));
    const feed = runFeed(c.env, run.id);
    const sent = await feed.sendInput(inputKey(key), record);
    if ("error" in sent) throw tooLarge(sent.error);
    await completeWaits(c, environment.key, feed, key, sent.waiting, { seq: sent.seq, body: record });
    return c.json({ ok: true });
  })
  .get("/realtime/v1/streams/:runId/input/:key{.+}", access("readInput"), async (c) => {
    const run = await readableRun(c, c.req.param("runId"));
    return readStream(c, run, inputKey(c.req.param("key")));
  })
  .post("/api/v1/runs/:runId/input-streams/wait", access("waitForInput"), async (c) => {
    const { environment } = c.var;
    const { streamId, timeout, tags = [], lastSeqNum = -1 } = await readBody(c, InputWaitBody);
    const run = await openRun(c, environment, c.req.param("runId"));
    const now = Date.now();
    const id = newEnvironmentId("waitpoint", environment.key, now);
    await waitpointObjectOf(c.env, id).createToken({
      id,
      environmentKey: environment.key,
      timeoutAt: timeout === undefined ? null : parseDelay(timeout, now),
      idempotencyKey: null,
      idempotencyKeyExpiresAt: null,
      tags,
    });
    const feed = runFeed(c.env, run.id);
    const record = await feed.waitForInput(inputKey(streamId), id, lastSeqNum);
    if (record) await completeWaits(c, environment.key, feed, streamId, [id], record);
    return c.json({ waitpointId: id, isCached: false });
  })
  .post(`/realtime/v1/streams/:runId/${TARGET}/:key{.+}/append`, access("appendToStream"), async (c) => {
    const run = await targetRun(c);
    const text = await c.req.text();
    if (text.length > STREAM_LIMITS.appendBytes) {
      throw new Failure(413, "chunk_too_large", `An append has at most ${STREAM_LIMITS.appendBytes} bytes.`);
    }
    await append(c, run, streamKey(c.req.param("key")), { records: [JSON.stringify(text)] });
    return c.json({ ok: true });
  })
  .put(`/realtime/v1/streams/:runId/${TARGET}/:key{.+}`, access("createStream"), async (c) => {
    const run = await targetRun(c);
    await append(c, run, streamKey(c.req.param("key")), { records: [] });
    // If no S2 server is named, the client writes here, whatever the version.
    return c.json({ version: "v2" }, 202);
  })
  .post(`/realtime/v1/streams/:runId/${TARGET}/:key{.+}`, access("writeStream"), async (c) => {
    const run = await targetRun(c, { over: true });
    const key = streamKey(c.req.param("key"));
    const id = (c.req.header("x-client-id") ?? "").slice(0, 64) || "default";
    let from = Number(c.req.header("x-resume-from-chunk") ?? 0);
    if (!Number.isSafeInteger(from) || from < 0) {
      throw new Failure(
        400,
        "invalid_request",
        "X-Resume-From-Chunk is the number of the first line, from 0.",
      );
    }
    if (c.req.raw.body) {
      // Lines are stored as they arrive, so readers see them before the request ends.
      for await (const records of incomingLines(c.req.raw.body)) {
        await append(c, run, key, { writer: { id, from }, records });
        from += records.length;
      }
    }
    return c.body(null, 200);
  })
  // Also answers HEAD, with only the header.
  .get(`/realtime/v1/streams/:runId/${TARGET}/:key{.+}`, access("getStreamPosition"), async (c) => {
    const run = await targetRun(c, { over: true });
    const writer = (c.req.header("x-client-id") ?? "").slice(0, 64) || "default";
    const lastIndex = await runFeed(c.env, run.id).lastIndex(streamKey(c.req.param("key")), writer);
    return c.json({ lastIndex }, 200, { "x-last-chunk-index": String(lastIndex) });
  })
  .get("/realtime/v1/streams/:runId/:key{.+}", access("readStream"), async (c) => {
    const run = await readableRun(c, c.req.param("runId"));
    return readStream(c, run, streamKey(c.req.param("key")));
  });

async function readStream(c: Context<App>, run: RunRecord, key: string): Promise<Response> {
  const seconds = c.req.header("timeout-seconds");
  const timeout = seconds === undefined ? null : Number(seconds);
  if (timeout !== null && !(timeout >= 1 && timeout <= STREAM_LIMITS.maxTimeoutSeconds)) {
    throw new Failure(
      400,
      "invalid_request",
      `Timeout-Seconds is a number from 1 to ${STREAM_LIMITS.maxTimeoutSeconds}.`,
    );
  }
  const feed = runFeed(c.env, run.id);
  const body = eventStream({
    feed,
    live: stubs(c.env).live(run.environmentKey),
    runId: run.id,
    key,
    after: await firstOf(c, feed, key),
    timeoutMs: timeout === null ? null : timeout * 1_000,
  });
  return c.body(body, 200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-stream-version": "v2",
  });
}

/** Number of the last record that the reader has. */
async function firstOf(c: Context<App>, feed: FeedRpc, key: string): Promise<number> {
  const last = /^\d{1,15}$/.exec(c.req.header("last-event-id") ?? "");
  if (last) return Number(last[0]);
  return c.req.header("x-trigger-stream-start") === "latest" ? (await feed.lastRecord(key)) - 1 : -1;
}

async function append(
  c: Context<App>,
  run: RunRecord,
  key: string,
  records: Parameters<FeedRpc["appendRecords"]>[1],
): Promise<void> {
  const result = await runFeed(c.env, run.id).appendRecords(key, records);
  if ("error" in result) throw tooLarge(result.error);
  // Informs the run's subscribers of the stream. Not only at its creation, because the creator may have died
  // before this.
  if (!streamsOf(run)?.includes(key)) {
    await ownerOf(c.env, run.environmentKey, run.id).updateMetadata(run.environmentKey, run.id, [
      { type: "append", key: STREAMS_KEY, value: key },
    ]);
  }
}

/** Returns a run, which a public token may read too. Throws a 401, 403 or 404. */
async function readableRun(c: Context<App>, runId: string): Promise<RunRecord> {
  const { principal } = await authenticateShape(c, null, Date.now());
  const { key } = principal.environment;
  const run = await ownerOf(c.env, key, runId).retrieveRun(key, runId);
  if (!run) throw runNotFound(runId);
  if (!mayReadRun(principal, run)) {
    throw new Failure(
      403,
      "not_allowed",
      `This public token does not allow that. It takes read:runs:${runId}.`,
    );
  }
  return run;
}

/**
 * Returns the run to write to. `over`: accepts a finished run, for data that was in transit when it ended.
 */
async function targetRun(c: Context<App>, options: { over?: boolean } = {}): Promise<RunRecord> {
  const { environment } = c.var;
  const runId = c.req.param("runId") as string;
  const target = c.req.param("target");
  const run = await ownerOf(c.env, environment.key, runId).retrieveRun(environment.key, runId);
  if (!run) throw runNotFound(runId);
  const id = target === "parent" ? run.parentRunId : target === "root" ? run.rootRunId : null;
  if (id !== null && id !== runId) return openRun(c, environment, id, options);
  return checkOpen(run, options);
}

async function openRun(
  c: Context<App>,
  environment: EnvironmentRef,
  runId: string,
  options: { over?: boolean } = {},
): Promise<RunRecord> {
  const run = await ownerOf(c.env, environment.key, runId).retrieveRun(environment.key, runId);
  if (!run) throw runNotFound(runId);
  return checkOpen(run, options);
}

function checkOpen(run: RunRecord, { over = false }: { over?: boolean }): RunRecord {
  if (over || !isFinal(run.status)) return run;
  throw new Failure(400, "run_is_over", `Run ${run.id} has ended: nothing can be written to its streams.`);
}

/** Completes the tokens that wait for the input with the record, once each. */
async function completeWaits(
  c: Context<App>,
  environmentKey: string,
  feed: FeedRpc,
  key: string,
  tokens: string[],
  record: { seq: number; body: string },
): Promise<void> {
  if (tokens.length === 0) return;
  const data = JSON.stringify({ seq: record.seq, data: JSON.parse(record.body) as unknown });
  for (const token of tokens) {
    await waitpointObjectOf(c.env, token).completeToken(environmentKey, {
      data,
      dataType: "application/json",
      isError: false,
    });
  }
  await feed.forgetInputWaits(inputKey(key), tokens);
}

const tooLarge = (message: string): Failure => new Failure(413, "stream_too_large", message);
