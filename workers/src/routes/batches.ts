import { newEnvironmentId } from "@acme/durable-objects/routing";
import type { BatchOwnerRpc, BatchRecord, BatchResult, EnvironmentRef } from "@acme/durable-objects/rpc";
import { TRACEPARENT_HEADER } from "@acme/sdk/contract";
import {
  type BatchResultItem,
  BatchResultsQuery,
  CreateBatchBody,
  ListBatchesQuery,
  MixedBatchBody,
  type RetrieveBatchResponse,
  TaskBatchBody,
  type TriggerBody,
} from "@acme/sdk/contract/api";
import { type Context, Hono } from "hono";
import { access } from "../auth/middleware.ts";
import { hasScope, realtimeOf, requireScopes, useForBatch, useOnce } from "../auth/public-scopes.ts";
import { issuePublicToken } from "../auth/tokens.ts";
import { batchAborted, prepareItem, receiveItems, sendItems } from "../batches/batch-items.ts";
import { batchOf, createBatch } from "../batches/create-batch.ts";
import { listBatches } from "../batches/list-batches.ts";
import type { App, Bindings } from "../bindings.ts";
import { discardBody, readBody } from "../http/body.ts";
import { Failure, invalid } from "../http/failure.ts";
import { requestKeyOf } from "../http/request-key.ts";
import { batchObjectOf } from "../objects.ts";
import { checkResumable, operationOf } from "../runs/operation.ts";
import { RunPreparation } from "../runs/prepare-run.ts";
import { shownPacket } from "../views/packet-view.ts";
import { isoTime } from "../views/time.ts";

const PUBLIC_TOKEN_SECONDS = 3_600;
/** The maximum size of a body that carries all items of a batch. */
const BODY_BYTES = 30 * 1024 * 1024;

export const batchRoutes = new Hono<App>()
  .post("/api/v3/batches", access("createBatch"), async (c) => {
    const { environment } = c.var;
    const body = await readBody(c, CreateBatchBody);
    const operation = operationOf(c, environment);
    checkResumable(operation, body.resumeParentOnCompletion);
    // A one-time token is not used up by a batch whose items would be refused.
    if (body.taskIdentifiers && !hasScope(c, "batchTrigger:batch"))
      requireScopes(c, batchScopesOf(body.taskIdentifiers.map((task) => ({ task }))));
    await useOnce(c, requestKeyOf(c));
    const batch = await createBatch(c.env, environment, body, operation);
    givePublicToken(c, environment, batch.id);
    return c.json(
      {
        id: batch.id,
        runCount: batch.runCount,
        // A batch that lacks items, because their sender died, accepts them now.
        isCached: batch.sealed,
        idempotencyKey: batch.idempotencyKey ?? undefined,
      },
      202,
    );
  })
  .get("/api/v1/batches", access("listBatches"), async (c) => {
    const query = ListBatchesQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { "page[size]": size = 25, "page[after]": after } = query.data;
    return c.json(await listBatches(c.env, c.var.environment, size, after));
  })
  .post("/api/v3/batches/:id/items", access("streamBatchItems"), async (c) => {
    const { environment } = c.var;
    const id = c.req.param("id");
    const { owner, batch } = await batchOf(c.env, environment, id);
    if (batch.status === "ABORTED" && !batch.sealed) throw batchAborted(batch);
    const body = c.req.raw.body;
    if (batch.sealed) {
      await discardBody(c.req.raw);
      return c.json({ id, itemsAccepted: 0, itemsDeduplicated: batch.runCount, sealed: true });
    }
    if (!body) throw new Failure(400, "no_items", "The body is empty: send one JSON object a line (NDJSON).");
    // The published client sends the items with the token that created the batch, unless it runs in a browser.
    const mayWrite = hasScope(c, "write:batch", `write:batch:${id}`);
    if (!mayWrite) await useForBatch(c, id);
    const received = await receiveItems(c.env, environment, owner, batch, body, {
      check: (task) => mayWrite || requireScopes(c, [`batchTrigger:tasks:${task}`]),
      traceparent: c.req.header(TRACEPARENT_HEADER),
    });
    const { sealed, itemCount, runCount } = received.batch;
    return c.json({
      id,
      itemsAccepted: received.accepted,
      itemsDeduplicated: received.deduplicated,
      sealed,
      ...(sealed ? {} : { enqueuedCount: itemCount, expectedCount: runCount }),
    });
  })
  .get("/api/v1/batches/:id", access("retrieveBatchV1"), (c) => retrieve(c, c.req.param("id")))
  .get("/api/v2/batches/:id", access("retrieveBatch"), (c) => retrieve(c, c.req.param("id")))
  .get("/api/v1/batches/:id/results", access("listBatchResults"), async (c) => {
    const id = c.req.param("id");
    const { environment } = c.var;
    const query = BatchResultsQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    const { owner, batch } = await batchOf(c.env, environment, id);
    const page = {
      after: query.data["page[after]"] ?? -1,
      limit: query.data["page[size]"] ?? batch.runCount,
    };
    const body = streamOf(resultsBody(c.env, environment, owner, id, page));
    return c.body(body, 200, { "content-type": "application/json" });
  })
  .post("/api/v1/tasks/batch", access("batchTriggerV1"), async (c) => {
    const { environment } = c.var;
    const { items, parentRunId } = await readBody(c, MixedBatchBody, BODY_BYTES);
    requireScopes(c, batchScopesOf(items));
    const { id, runs } = await createWhole(c, environment, items, parentRunId);
    givePublicToken(c, environment, id);
    return c.json({
      id,
      isCached: false,
      runs: runs.map(({ runId, task, cached }) => ({ id: runId, taskIdentifier: task, isCached: cached })),
    });
  })
  .post("/api/v2/tasks/batch", access("batchTriggerV2"), async (c) => {
    const { environment } = c.var;
    const { items, parentRunId } = await readBody(c, MixedBatchBody, BODY_BYTES);
    requireScopes(c, batchScopesOf(items));
    const { id } = await createWhole(c, environment, items, parentRunId);
    givePublicToken(c, environment, id);
    return c.json({ id, runCount: items.length }, 202);
  })
  .post("/api/v1/tasks/:taskId/batch", access("batchTriggerTask"), async (c) => {
    const { environment } = c.var;
    const { items } = await readBody(c, TaskBatchBody, BODY_BYTES);
    const task = c.req.param("taskId");
    const all = items.map((item) => ({ ...item, task }));
    const { id, runs } = await createWhole(c, environment, all, undefined);
    return c.json({ batchId: id, runs: runs.map(({ runId }) => runId) });
  });

const batchScopesOf = (items: { task: string }[]): string[] =>
  [...new Set(items.map(({ task }) => task))].map((task) => `batchTrigger:tasks:${task}`);

/** Adds a public token to the response, with which for instance a browser can follow the batch. */
function givePublicToken(c: Context<App>, environment: EnvironmentRef, batchId: string): void {
  const { credential } = c.var;
  // A browser sends the items with the token that the creation of the batch returns.
  const sends = credential.type === "public" && c.req.header("x-trigger-client") === "browser";
  const scopes = [`read:batch:${batchId}`, ...(sends ? [`write:batch:${batchId}`] : [])];
  const token = issuePublicToken(c.env, environment.key, {
    scopes,
    seconds: PUBLIC_TOKEN_SECONDS,
    realtime: realtimeOf(c),
  });
  c.header("x-trigger-jwt", token);
}

async function retrieve(c: Context<App>, id: string): Promise<Response> {
  const { environment } = c.var;
  const { owner, batch } = await batchOf(c.env, environment, id);
  const items = (await owner.listItems(environment.key)) ?? { runs: [], errors: [] };
  return c.json(viewOf(batch, items));
}

const viewOf = (
  batch: BatchRecord,
  { runs, errors }: NonNullable<Awaited<ReturnType<BatchOwnerRpc["listItems"]>>>,
): RetrieveBatchResponse => ({
  id: batch.id,
  status: batch.status,
  idempotencyKey: batch.idempotencyKey ?? undefined,
  createdAt: isoTime(batch.createdAt),
  updatedAt: isoTime(batch.updatedAt),
  runCount: batch.runCount,
  runs,
  completedCount: batch.completedCount,
  processing: { completedAt: batch.enqueuedAt === null ? undefined : isoTime(batch.enqueuedAt), errors },
});

/**
 * Creates a batch whose items came in one body. If one of them cannot be created, throws its Failure and creates nothing.
 */
async function createWhole(
  c: Context<App>,
  environment: EnvironmentRef,
  items: (TriggerBody & { task: string })[],
  parentRunId: string | undefined,
) {
  const { env } = c;
  const preparation = new RunPreparation(env, environment, c.req.header(TRACEPARENT_HEADER));
  // The items are validated while they are prepared, which needs only the batch's id.
  const id = newEnvironmentId("batch", environment.key);
  const prepared = await Promise.all(
    items.map(({ task, ...body }, index) =>
      prepareItem(preparation, { id, parentRunId: parentRunId ?? null, parentWaits: false }, index, {
        task,
        body,
      }),
    ),
  );
  await useOnce(c, requestKeyOf(c));
  await createBatch(env, environment, { id, runCount: items.length, parentRunId }, undefined);
  const owner = batchObjectOf(env, id);
  await sendItems(owner, environment, id, prepared);
  return { id, runs: (await owner.whenEnqueued(environment.key)) ?? [] };
}

/** Returns a stream of the pieces in UTF-8, each generated when it is read. */
function streamOf(pieces: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: () => void pieces.return(undefined),
  });
}

/** Yields the JSON of a page of results in pieces, so that only some results are in memory. */
async function* resultsBody(
  env: Bindings,
  environment: EnvironmentRef,
  owner: BatchOwnerRpc,
  id: string,
  page: { after: number; limit: number },
): AsyncGenerator<string> {
  yield `{"id":${JSON.stringify(id)},"items":[`;
  let { after, limit } = page;
  let next: number | undefined;
  for (let first = true; limit > 0; ) {
    const found = await owner.listResults(environment.key, after, limit);
    const results = found?.results ?? [];
    for (const result of results) {
      yield `${first ? "" : ","}${JSON.stringify(await resultItem(env, environment, result))}`;
      first = false;
    }
    after = results.at(-1)?.index ?? after;
    limit -= results.length;
    if (!found?.more) break;
    if (limit === 0) next = after;
  }
  yield `],"pagination":${JSON.stringify({ next: next === undefined ? undefined : String(next) })}}`;
}

async function resultItem(
  env: Bindings,
  environment: EnvironmentRef,
  { index, task, runId, result }: BatchResult,
): Promise<BatchResultItem> {
  const base = { index, id: runId ?? "", taskIdentifier: task };
  if (!result.ok) return { ok: false, ...base, error: result.error };
  if (result.output == null) return { ok: true, ...base, outputType: "text/plain" };
  const packet = { text: result.output, type: result.outputType ?? "application/json" };
  const { text, type } = await shownPacket(env, environment.key, packet);
  return { ok: true, ...base, output: text, outputType: type };
}
