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

describe("a token's question", () => {
  const schema = {
    type: "object",
    required: ["approved"],
    properties: { approved: { type: "boolean" }, reason: { type: "string", maxLength: 20 } },
  };
  const linkOf = async (id: string, body: object = {}, key = project.prod) =>
    call<{ url: string; expiresAt: string; code: string }>("POST", `${PATH}/${id}/links`, key, body);
  const questionPath = (url: string) => {
    const [, , id, signature] = pathOf(url).split("/");
    return `${PATH}/${id}/question/${signature}`;
  };

  it("is shown with its form, and in lists by its title", async () => {
    const asked = { title: "Refund order 7?", description: "120 EUR", schema };
    const { id } = await create(asked);
    expect(await retrieve(id)).toMatchObject({ id, status: "WAITING", ...asked });
    const listed = await until(async () => {
      const { body } = await call<{ data: { id: string; title?: string }[] }>("GET", PATH, project.prod);
      return body.data.find((token) => token.id === id);
    });
    expect(listed.title).toBe("Refund order 7?");
  });

  it("takes no answer that its schema doesn't allow, however it comes", async () => {
    const token = await create({ schema });
    const refused = await complete(token.id, { approved: "yes" });
    expect([refused.status, refused.body.code]).toEqual([422, "answer_not_allowed"]);
    expect(refused.body.error).toContain("approved");
    expect((await call("POST", pathOf(token.url), null, "[]")).status).toBe(422);
    expect((await complete(token.id, undefined)).status).toBe(422);
    expect(await retrieve(token.id)).toMatchObject({ status: "WAITING" });
    expect((await complete(token.id, { approved: true, reason: "fine" })).status).toBe(200);
    expect(await retrieve(token.id)).toMatchObject({
      status: "COMPLETED",
      answeredBy: { type: "key", name: "secret key" },
    });
  });

  it.each([
    ["a reference", { $ref: "#" }],
    ["a reference inside", { properties: { a: { items: { $ref: "#/$defs/a" } } } }],
    ["too many bytes", { description: "x".repeat(17_000) }],
  ])("is no schema with %s", async (_, wrong) => {
    const { status } = await call("POST", PATH, project.prod, { schema: wrong });
    expect([400, 422]).toContain(status);
  });

  it("is answered by a link without a key, once, and shows nothing else", async () => {
    const { id } = await create({ title: "Ship?", schema, tags: ["secret-customer"], timeout: "1h" });
    const { body: link } = await linkOf(id);
    const path = questionPath(link.url);
    const shown = await call<Record<string, unknown>>("GET", path, null);
    expect(shown.status).toBe(200);
    expect(Object.keys(shown.body).sort()).toEqual(
      ["createdAt", "expiresAt", "schema", "status", "timeoutAt", "title"].sort(),
    );
    const wrong = await call("POST", path, null, { data: { approved: 1 } });
    expect([wrong.status, wrong.body.code]).toEqual([422, "answer_not_allowed"]);
    const answered = await call("POST", path, null, { data: { approved: true }, name: "  Grace " });
    expect(answered).toMatchObject({ status: 200, body: { status: "COMPLETED" } });
    expect(answered.body).not.toHaveProperty("output");
    expect(await retrieve(id)).toMatchObject({
      output: '{"approved":true}',
      answeredBy: { type: "link", name: "Grace" },
    });
    const again = await call("POST", path, null, { data: { approved: false } });
    expect([again.status, again.body.code]).toEqual([409, "token_is_over"]);
    expect(await retrieve(id)).toMatchObject({ output: '{"approved":true}' });
  });

  it("has links that are good for it alone, and not for long", async () => {
    const [one, two] = [await create(), await create()];
    const { body } = await linkOf(one.id, { expiresIn: "1s" });
    const path = questionPath(body.url);
    expect((await call("GET", path, null)).status).toBe(200);
    const [, , , signature] = pathOf(body.url).split("/") as string[];
    const forged = [
      `${PATH}/${two.id}/question/${signature}`,
      `${path}x`,
      path.replace(/question\/[0-9a-z]+/, "question/zzzzzzzz"),
      `${PATH}/${one.id}/question/${pathOf(one.url).split("/").at(-1)}`,
    ];
    for (const address of forged) {
      for (const method of ["GET", "POST"]) {
        const answer = await call(method, address, null, method === "POST" ? { data: 1 } : undefined);
        expect([answer.status, answer.body.code], address).toEqual([401, "invalid_answer_link"]);
      }
    }
    const ended = await until(async () => {
      const answer = await call("GET", path, null);
      return answer.status === 401 ? answer : null;
    });
    expect(ended.body.code).toBe("invalid_answer_link");
    expect(await retrieve(two.id)).toMatchObject({ status: "WAITING" });
  });

  it("gets no link from others, and none for longer than 30 days", async () => {
    const { id, publicAccessToken } = await create();
    const other = await newProject();
    expect((await linkOf(id, {}, other.prod)).status).toBe(404);
    expect((await linkOf(id, {}, publicAccessToken)).status).toBe(403);
    for (const expiresIn of ["31d", "nonsense", "0s"])
      expect((await linkOf(id, { expiresIn })).status).toBe(400);
  });

  it("has a limit of how often its links are asked", async () => {
    const { id } = await create();
    const { body } = await linkOf(id);
    const path = questionPath(body.url);
    const statuses = await Promise.all(
      Array.from({ length: 60 }, async () => (await call("GET", path, null)).status),
    );
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(20);
    expect(statuses).toContain(429);
  });
});
