/** Names of the reference SDK besides tasks and runs. */
import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  auth,
  configure,
  createCache,
  deployments,
  heartbeats,
  InMemoryCache,
  otel,
  query,
  WebhookError,
  waitUntil,
  webhooks,
} from "../src/index.ts";
import { type Answer, apiServer, type ReceivedRequest } from "./support/api.ts";

async function api(answer: (request: ReceivedRequest) => Answer) {
  const server = await apiServer(answer);
  configure({ baseURL: server.url, accessToken: "tr_dev_key" });
  return server;
}

describe("webhooks.constructEvent", () => {
  const secret = "whsec_test";
  const body = JSON.stringify({
    id: "msg_1",
    created: "2026-11-27T10:00:00.000Z",
    webhookVersion: "v1",
    type: "alert.run.failed",
    object: { run: { id: "run_1" } },
  });
  const signatureOf = (text: string, key = secret) => createHmac("sha256", key).update(text).digest("hex");

  test("parses what was signed with the secret, of a Request and of its parts", async () => {
    const headers = { [webhooks.SIGNATURE_HEADER_NAME]: signatureOf(body) };
    const request = new Request("http://localhost", { method: "POST", headers, body });
    const event = await webhooks.constructEvent(request, secret);
    expect(event).toMatchObject({ type: "alert.run.failed", created: new Date("2026-11-27T10:00:00Z") });
    const parts = { payload: Buffer.from(body), header: signatureOf(body) };
    expect(await webhooks.constructEvent(parts, secret)).toEqual(event);
  });

  test.each([
    ["another secret", body, signatureOf(body, "other"), /signature/],
    ["another payload", `${body} `, signatureOf(body), /signature/],
    ["what is no signature", body, "xyz", /signature/],
    ["a payload that is not JSON", "{", signatureOf("{"), /not JSON/],
    ["a payload that is no webhook", "{}", signatureOf("{}"), /not a webhook/],
  ])("refuses %s", async (_, payload, header, message) => {
    const refused = webhooks.constructEvent({ payload, header }, secret);
    await expect(refused).rejects.toThrow(WebhookError);
    await expect(refused).rejects.toThrow(message);
  });

  test("refuses a request without a signature", async () => {
    const request = new Request("http://localhost", { method: "POST", body });
    await expect(webhooks.constructEvent(request, secret)).rejects.toThrow(/no header/);
  });
});

describe("createCache", () => {
  test("computes a value once for each key, and again when it has expired", async () => {
    const store = new InMemoryCache();
    const cache = createCache(store);
    let calls = 0;
    const compute = async () => ++calls;
    expect(await Promise.all([cache("a", compute), cache("b", compute)])).toEqual([1, 2]);
    expect(await cache("a", compute)).toBe(1);
    store.set("a", { value: 1, metadata: { createdTime: Date.now() - 1_000, ttl: 500 } });
    expect(await cache("a", compute)).toBe(3);
    store.delete("a");
    expect(await cache("a", compute)).toBe(4);
  });

  test("keeps values that are falsy", async () => {
    const cache = createCache(new InMemoryCache());
    let calls = 0;
    const compute = () => {
      calls += 1;
      return 0;
    };
    expect([await cache("zero", compute), await cache("zero", compute), calls]).toEqual([0, 0, 1]);
  });
});

test("heartbeats.yield lets due work run", async () => {
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 1);
  const begun = performance.now();
  while (turns < 3 && performance.now() - begun < 10_000) {
    const busy = performance.now();
    while (performance.now() - busy < 5);
    await heartbeats.yield();
  }
  clearInterval(timer);
  expect(turns).toBe(3);
  expect(heartbeats.getLastHeartbeat()).toBeInstanceOf(Date);
});

test("outside a task, waitUntil and otel do no harm", async () => {
  waitUntil(Promise.resolve(1));
  expect(otel.withExternalTrace(() => 7)).toBe(7);
  otel.metrics.getMeter("test").createCounter("count").add(1);
});

test("deployments are listed with dates, and the current one is retrieved", async () => {
  const item = { id: "d", version: "20261127.1", status: "DEPLOYED", createdAt: "2026-11-27T00:00:00.000Z" };
  const server = await api(({ path }) => ({
    body: path.includes("current")
      ? item
      : { data: [item], pagination: path.includes("after") ? {} : { next: "d" } },
  }));
  expect((await deployments.retrieveCurrent()).createdAt).toEqual(new Date("2026-11-27"));
  const all: string[] = [];
  for await (const { version } of deployments.list({ limit: 1 })) all.push(version);
  expect(all).toEqual(["20261127.1", "20261127.1"]);
  expect(decodeURIComponent(server.received.at(-1)!.path)).toBe(
    "/api/v1/deployments?page[size]=1&page[after]=d",
  );
});

test("queries are sent with their period", async () => {
  const server = await api(() => ({ body: { format: "json", results: [{ n: 1 }] } }));
  const from = new Date("2026-11-01");
  const answer = await query.execute<{ n: number }>("SELECT 1 AS n", { from, to: from.getTime() + 1 });
  expect(answer).toEqual({ format: "json", results: [{ n: 1 }] });
  expect(server.received[0]?.body).toEqual({
    query: "SELECT 1 AS n",
    from: "2026-11-01T00:00:00.000Z",
    to: "2026-11-01T00:00:00.001Z",
    format: "json",
  });
});

test("public tokens are requested with flat scopes, and used inside a function", async () => {
  const server = await api(({ path }) => ({
    body: path.endsWith("public-tokens") ? { token: "public" } : { data: [], pagination: {} },
  }));
  const bodies = () =>
    server.received.filter(({ path }) => path.endsWith("public-tokens")).map(({ body }) => body);
  await auth.createPublicToken({
    scopes: { read: { runs: ["run_1", "run_2"], tags: true }, write: { waitpoints: "waitpoint_1" } },
    expirationTime: new Date(2_000_000_000_500),
  });
  await auth.createTriggerPublicToken(["a", "b"]);
  await auth.createBatchTriggerPublicToken("a", { multipleUse: true, expirationTime: "1h" });
  expect(bodies()).toEqual([
    {
      scopes: ["read:runs:run_1", "read:runs:run_2", "read:tags", "write:waitpoints:waitpoint_1"],
      expirationTime: 2_000_000_000,
    },
    { scopes: ["trigger:tasks:a", "trigger:tasks:b"], oneTimeUse: true },
    { scopes: ["batchTrigger:tasks:a"], oneTimeUse: false, expirationTime: "1h" },
  ]);
  await auth.withPublicToken({ scopes: { read: { runs: true } } }, async () => {
    await deployments.list();
  });
  expect(server.received.at(-1)?.headers.authorization).toBe("Bearer public");
  await expect(auth.createPublicToken()).rejects.toThrow(/without scopes/);
});
