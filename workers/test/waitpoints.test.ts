import { LIMITS } from "@acme/sdk/contract";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { dequeue, journal, start, suspend } from "./host.ts";

const PATH = "/api/v1/waitpoints/tokens";

let project: Project;
beforeAll(async () => {
  project = await newProject();
  await deploy(project, ["waits"]);
});

interface Created {
  id: string;
  isCached: boolean;
  url: string;
  publicAccessToken: string;
}
interface Listed {
  data: { id: string; status: string }[];
  pagination: { next?: string; previous?: string };
}

const create = async (body: Record<string, unknown> = {}, key = project.prod) =>
  (await call<Created>("POST", PATH, key, body)).body;
const retrieve = async (id: string) => (await call("GET", `${PATH}/${id}`, project.prod)).body;
const complete = (id: string, data: unknown, key: string | null = project.prod) =>
  call("POST", `${PATH}/${id}/complete`, key, { data });
const pathOf = (url: string) => new URL(url).pathname;

describe("a waitpoint token", () => {
  it("is created, shown, completed and shown with its output", async () => {
    const before = Date.now();
    const token = await create({ timeout: "1h", tags: ["a", "b"] });
    expect(token).toMatchObject({ id: expect.stringMatching(/^waitpoint_/), isCached: false });
    const shown = await retrieve(token.id);
    expect(shown).toMatchObject({ id: token.id, url: token.url, status: "WAITING", tags: ["a", "b"] });
    expect(Date.parse(shown.timeoutAt as string)).toBeGreaterThanOrEqual(before + 3_600_000);
    expect(shown).not.toHaveProperty("output");
    expect(await complete(token.id, { approved: true })).toMatchObject({
      status: 200,
      body: { success: true },
    });
    expect(await complete(token.id, "too late")).toMatchObject({ status: 200 });
    expect(await retrieve(token.id)).toMatchObject({
      status: "COMPLETED",
      output: '{"approved":true}',
      outputType: "application/json",
      outputIsError: false,
      completedAt: expect.any(String),
    });
  });

  it("can be completed with nothing, and with more than fits inline", async () => {
    const empty = await create();
    await complete(empty.id, undefined);
    expect(await retrieve(empty.id)).not.toHaveProperty("output");
    const large = await create();
    const data = "ä".repeat(150_000);
    await complete(large.id, data);
    expect(await retrieve(large.id)).toMatchObject({
      output: JSON.stringify(data),
      outputType: "application/json",
    });
  });

  it("takes a date as its timeout, and shows that it is over", async () => {
    const { id } = await create({ timeout: new Date(Date.now() - 1_000) });
    const shown = await retrieve(id);
    expect(shown).toMatchObject({ status: "TIMED_OUT", outputIsError: true });
    expect(JSON.parse(shown.output as string)).toMatchObject({ code: "TRIGGER_WAITPOINT_TIMEOUT" });
  });

  it("wakes the run that waits for it", async () => {
    const token = await create();
    const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/waits/trigger", project.prod, {});
    const run = await start(body.id);
    const entry = {
      number: 0,
      kind: "token",
      name: token.id,
      target: token.id,
      startedAt: Date.now(),
    } as const;
    await journal(run, [entry]);
    expect(await suspend(run, [0])).toEqual({ verdict: "suspended" });
    await complete(token.id, 7);
    expect((await dequeue(body.id)).resume?.journal[0]?.result).toMatchObject({ ok: true, output: "7" });
  });

  it("is one for one idempotency key, until that expires", async () => {
    const idempotencyKey = `order-${Date.now()}`;
    const tokens = await Promise.all(Array.from({ length: 10 }, () => create({ idempotencyKey })));
    expect(new Set(tokens.map(({ id }) => id)).size).toBe(1);
    expect(tokens.filter(({ isCached }) => !isCached)).toHaveLength(1);
    expect(await retrieve(tokens[0]?.id as string)).toMatchObject({
      idempotencyKey,
      idempotencyKeyExpiresAt: expect.any(String),
    });
    const shortLived = { idempotencyKey: `${idempotencyKey}-short`, idempotencyKeyTTL: "0s" };
    expect((await create(shortLived)).id).not.toBe((await create(shortLived)).id);
    const elsewhere = await create({ idempotencyKey }, project.dev);
    expect(elsewhere.id).not.toBe(tokens[0]?.id);
  });
});

describe("a token's public access token", () => {
  it("completes that token, also from a browser, and does nothing else", async () => {
    const [token, other] = [await create(), await create()];
    const preflight = await call("OPTIONS", `${PATH}/${token.id}/complete`, null, undefined, {
      origin: "https://example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    });
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    for (const send of [
      () => complete(other.id, 1, token.publicAccessToken),
      () => call("GET", `${PATH}/${token.id}`, token.publicAccessToken),
      () => call("GET", PATH, token.publicAccessToken),
      () => call("POST", PATH, token.publicAccessToken, {}),
      () => call("POST", "/api/v1/tasks/waits/trigger", token.publicAccessToken, {}),
    ]) {
      expect(await send()).toMatchObject({ status: 403, body: { code: "not_allowed" } });
    }
    expect(await retrieve(other.id)).toMatchObject({ status: "WAITING" });
    expect((await complete(token.id, 1, token.publicAccessToken)).status).toBe(200);
    expect(await retrieve(token.id)).toMatchObject({ status: "COMPLETED" });
  });
});

describe("a token's callback URL", () => {
  it.each<[string, string, string, string | undefined]>([
    ["JSON", "application/json", '{"id": 1}', '{"id": 1}'],
    ["JSON of a kind", "application/cloudevents+json", '{"id":1}', '{"id":1}'],
    ["a form", "application/x-www-form-urlencoded", "a=1&b=x+y", '{"a":"1","b":"x y"}'],
    ["text", "text/plain", "hello", '"hello"'],
    ["nothing", "application/json", "", undefined],
  ])("completes it with a body of %s", async (_what, type, body, output) => {
    const token = await create();
    const sent = await call("POST", pathOf(token.url), null, body, { "content-type": type });
    expect(sent).toMatchObject({ status: 200, body: { success: true } });
    expect((await retrieve(token.id)).output).toBe(output);
  });

  it("works with its own hash only", async () => {
    const [token, other] = [await create(), await create()];
    const hash = other.url.split("/").at(-1);
    for (const path of [
      `${PATH}/${token.id}/callback/${hash}`,
      `${PATH}/${token.id}/callback/x`,
      `${PATH}/no/callback/x`,
    ]) {
      expect(await call("POST", path, null, "1")).toMatchObject({
        status: 401,
        body: { code: "invalid_callback_url" },
      });
    }
    expect(await retrieve(token.id)).toMatchObject({ status: "WAITING" });
  });

  it("refuses a body that is not what it says, and one that is too large", async () => {
    const token = await create();
    const send = (body: string) =>
      call("POST", pathOf(token.url), null, body, { "content-type": "application/json" });
    expect(await send("{")).toMatchObject({ status: 400, body: { code: "invalid_json" } });
    expect(await send("1".repeat(LIMITS.triggerBodyBytes + 1))).toMatchObject({
      status: 413,
      body: { code: "payload_too_large" },
    });
    expect(await retrieve(token.id)).toMatchObject({ status: "WAITING" });
  });
});

describe("the list of tokens", () => {
  it("has them newest first, by filter, page by page", async () => {
    const own = await newProject();
    const made: string[] = [];
    for (let n = 0; n < 5; n++) {
      const { id } = await create({ tags: [`t${n % 2}`], idempotencyKey: `key-${n}` }, own.prod);
      made.unshift(id);
    }
    await complete(made[0] as string, 1, own.prod);
    const list = async (query: string) => (await call<Listed>("GET", `${PATH}?${query}`, own.prod)).body;
    const ids = (page: Listed) => page.data.map(({ id }) => id);
    await until(async () => (await list("filter[status]=COMPLETED")).data.length === 1);
    await until(async () => (await list("")).data.length === 5);
    expect(ids(await list(""))).toEqual(made);
    expect(ids(await list("filter[status]=WAITING"))).toEqual(made.slice(1));
    expect(ids(await list("filter[status]=WAITING,COMPLETED"))).toEqual(made);
    expect(ids(await list("filter[tags]=t1"))).toEqual([made[1], made[3]]);
    expect(ids(await list("filter[idempotencyKey]=key-2"))).toEqual([made[2]]);
    expect(ids(await list("filter[createdAt][period]=1h"))).toEqual(made);
    expect(ids(await list(`filter[createdAt][to]=${Date.now() - 3_600_000}`))).toEqual([]);
    const first = await list("page[size]=2");
    const second = await list(`page[size]=2&page[after]=${first.pagination.next}`);
    expect([ids(first), ids(second)]).toEqual([made.slice(0, 2), made.slice(2, 4)]);
    const back = await list(`page[size]=2&page[before]=${second.pagination.previous}`);
    expect(ids(back)).toEqual(made.slice(0, 2));
    expect((await call<Listed>("GET", PATH, own.dev)).body.data).toEqual([]);
  });
});

describe("a request that is wrong", () => {
  const cases: [string, number, string, () => Promise<{ status: number; body: { code?: unknown } }>][] = [
    ["no key", 401, "missing_api_key", () => call("POST", PATH, null, {})],
    [
      "an invalid timeout",
      400,
      "invalid_request",
      () => call("POST", PATH, project.prod, { timeout: "soon" }),
    ],
    [
      "an invalid time to live",
      400,
      "invalid_request",
      () => call("POST", PATH, project.prod, { idempotencyKey: "k", idempotencyKeyTTL: "soon" }),
    ],
    [
      "a key that is too long",
      400,
      "invalid_request",
      () => call("POST", PATH, project.prod, { idempotencyKey: "k".repeat(2_049) }),
    ],
    [
      "too many tags",
      400,
      "invalid_request",
      () => call("POST", PATH, project.prod, { tags: Array.from({ length: 11 }, (_, n) => `${n}`) }),
    ],
    ["no JSON", 400, "invalid_json", () => call("POST", PATH, project.prod, "{")],
    ["an unknown token", 404, "token_not_found", () => call("GET", `${PATH}/waitpoint_no`, project.prod)],
    ["completing an unknown token", 404, "token_not_found", () => complete("waitpoint_no", 1)],
    [
      "an invalid status",
      400,
      "invalid_request",
      () => call("GET", `${PATH}?filter[status]=DONE`, project.prod),
    ],
    [
      "an invalid period",
      400,
      "invalid_request",
      () => call("GET", `${PATH}?filter[createdAt][period]=x`, project.prod),
    ],
    [
      "an invalid time",
      400,
      "invalid_request",
      () => call("GET", `${PATH}?filter[createdAt][from]=x`, project.prod),
    ],
    [
      "a page that is too large",
      400,
      "invalid_request",
      () => call("GET", `${PATH}?page[size]=101`, project.prod),
    ],
  ];

  it.each(cases)("%s: %i %s", async (_what, status, code, send) => {
    expect(await send()).toMatchObject({ status, body: { code, error: expect.any(String) } });
  });

  it("about another environment's token: 404, and nothing changes", async () => {
    const token = await create();
    for (const key of [project.dev, (await newProject()).prod]) {
      expect((await call("GET", `${PATH}/${token.id}`, key)).status).toBe(404);
      expect((await complete(token.id, 1, key)).status).toBe(404);
    }
    expect(await retrieve(token.id)).toMatchObject({ status: "WAITING" });
  });
});
