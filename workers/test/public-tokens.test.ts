import { env } from "cloudflare:workers";
import { createHmac } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { covers, isScope } from "../src/auth/scopes.ts";
import { issuePublicToken } from "../src/auth/tokens.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { runTokenOf, start } from "./host.ts";

let project: Project;
let other: Project;
let run: string;
let untagged: string;
let batch: string;
let waitpoint: string;

interface Created {
  id: string;
  code: string;
  error: string;
  token: string;
}
const post = <T = Created>(path: string, key: string, body?: unknown, headers?: Record<string, string>) =>
  call<T>("POST", path, key, body, headers);

beforeAll(async () => {
  project = await newProject();
  other = await newProject();
  await deploy(project, ["hello", "other"]);
  await deploy(other, ["hello"]);
  const delayed = { delay: "1h" };
  run = (
    await post("/api/v1/tasks/hello/trigger", project.prod, { options: { ...delayed, tags: ["user:1"] } })
  ).body.id;
  untagged = (await post("/api/v1/tasks/other/trigger", project.prod, { options: delayed })).body.id;
  const items = [{ task: "hello", options: delayed }];
  batch = (await post("/api/v2/tasks/batch", project.prod, { items })).body.id;
  waitpoint = (await post("/api/v1/waitpoints/tokens", project.prod, {})).body.id;
});

const tokenFor = async (scopes: string[], more: object = {}): Promise<string> => {
  const { status, body } = await post("/api/v1/auth/public-tokens", project.prod, { scopes, ...more });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.token;
};

describe("scopes", () => {
  it.each([
    ["read:runs", "read:runs:run_1", true],
    ["read:runs:run_1", "read:runs:run_1", true],
    ["read:runs:run_1", "read:runs:run_2", false],
    ["read:runs:run_1", "read:runs", false],
    ["read:tags:user:1", "read:tags:user:1", true],
    ["read:tags:user", "read:tags:user:1", false],
    ["write:runs", "read:runs:run_1", false],
    ["*:runs", "write:runs:run_1", true],
    ["read:all", "read:batch:b", true],
    ["read:all", "write:batch:b", false],
    ["admin", "trigger:tasks:a", true],
    ["admin:runs", "read:runs", false],
    ["", "read:runs", false],
    ["read", "read:runs", false],
  ])("%j covers %j: %j", (scope, needed, expected) => {
    expect(covers([scope], needed)).toBe(expected);
  });

  it("that are unknown are distinguished from known ones", () => {
    expect(["read:runs", "admin", "*:all", "read:tags:a:b"].every(isScope)).toBe(true);
    expect(["reed:runs", "read", "read:rums", "read:runs:", "", "admin:"].some(isScope)).toBe(false);
  });
});

describe("each row of the scope table", () => {
  const batches = () =>
    [
      ["GET", `/api/v2/batches/${batch}`],
      ["GET", `/api/v1/batches/${batch}`],
    ] as const;
  const get = (path: string) => ["GET", path] as const;
  type Row = [
    scopes: string[],
    request: () => readonly (readonly [string, string, unknown?])[],
    allowed: boolean,
  ];
  const readers: [string[], boolean][] = [
    [["read:runs"], true],
    [["read:runs:RUN"], true],
    [["read:runs:OTHER"], false],
    [["read:tasks"], true],
    [["read:tasks:hello"], true],
    [["read:tasks:other"], false],
    [["read:tags"], true],
    [["read:tags:user:1"], true],
    [["read:tags:user"], false],
    [["read:batch:BATCH"], false],
    [["write:runs:RUN"], false],
    [["admin"], true],
    [["read:all"], true],
  ];
  const rows: Row[] = [
    ...readers.map(
      ([scopes, allowed]): Row => [
        scopes,
        () =>
          ["", "/events", "/attempts", "/metadata"].map((rest) =>
            get(rest === "" ? `/api/v3/runs/${run}` : `/api/v1/runs/${run}${rest}`),
          ),
        allowed,
      ],
    ),
    [["read:batch"], batches, true],
    [["read:batch:BATCH"], batches, true],
    [["read:batch:batch_x"], batches, false],
    [["read:runs"], batches, true],
    [["read:runs:RUN"], batches, false],
    [["read:runs"], () => [get("/api/v1/runs")], true],
    [["read:tasks"], () => [get("/api/v1/runs")], true],
    [["read:tasks:hello"], () => [get("/api/v1/runs")], false],
    [["read:tasks:hello"], () => [get("/api/v1/runs?filter[taskIdentifier]=hello")], true],
    [["read:tasks:hello"], () => [get("/api/v1/runs?filter[taskIdentifier]=hello,other")], false],
    [
      ["read:tasks:hello", "read:tasks:other"],
      () => [get("/api/v1/runs?filter[taskIdentifier]=hello,other")],
      true,
    ],
    [["read:runs:RUN"], () => [get("/api/v1/runs")], false],
    [["trigger:tasks"], () => [["POST", "/api/v1/tasks/hello/trigger", { options: { delay: "1h" } }]], true],
    [
      ["trigger:tasks:hello"],
      () => [["POST", "/api/v1/tasks/hello/trigger", { options: { delay: "1h" } }]],
      true,
    ],
    [["trigger:tasks:other"], () => [["POST", "/api/v1/tasks/hello/trigger", {}]], false],
    [["read:tasks:hello"], () => [["POST", "/api/v1/tasks/hello/trigger", {}]], false],
    ...(["/api/v1/tasks/batch", "/api/v2/tasks/batch"] as const).flatMap((path): Row[] => {
      const items = ["hello", "other"].map((task) => ({ task, options: { delay: "1h" } }));
      return [
        [["batchTrigger:tasks"], () => [["POST", path, { items }]], true],
        [["batchTrigger:tasks:hello", "batchTrigger:tasks:other"], () => [["POST", path, { items }]], true],
        [["batchTrigger:tasks:hello"], () => [["POST", path, { items }]], false],
        [["trigger:tasks"], () => [["POST", path, { items }]], false],
      ];
    }),
    [["batchTrigger:tasks:hello"], () => [["POST", "/api/v3/batches", { runCount: 1 }]], true],
    [["batchTrigger:batch"], () => [["POST", "/api/v3/batches", { runCount: 1 }]], true],
    [["trigger:tasks"], () => [["POST", "/api/v3/batches", { runCount: 1 }]], false],
    [
      ["write:waitpoints:WAITPOINT"],
      () => [["POST", `/api/v1/waitpoints/tokens/${waitpoint}/complete`, { data: 1 }]],
      true,
    ],
    [
      ["write:waitpoints"],
      () => [["POST", `/api/v1/waitpoints/tokens/${waitpoint}/complete`, { data: 1 }]],
      true,
    ],
    [
      ["write:waitpoints:waitpoint_x"],
      () => [["POST", `/api/v1/waitpoints/tokens/${waitpoint}/complete`, {}]],
      false,
    ],
    [["write:runs:RUN"], () => [["POST", `/api/v2/runs/${untagged}/cancel`]], false],
    [["write:tasks:hello"], () => [["POST", `/api/v2/runs/${untagged}/cancel`]], false],
    [["read:runs", "read:tasks:other"], () => [["POST", `/api/v2/runs/${untagged}/cancel`]], false],
    [["write:tasks:other"], () => [["POST", `/api/v2/runs/${untagged}/cancel`]], true],
    [["write:runs:OTHER"], () => [["POST", `/api/v2/runs/${untagged}/cancel`]], true],
    [
      ["admin"],
      () => [
        ["PUT", `/api/v1/runs/${run}/metadata`, {}],
        ["POST", `/api/v1/runs/${run}/tags`, { tags: ["a"] }],
        ["POST", `/api/v1/runs/${run}/replay`, {}],
        ["POST", `/api/v1/runs/${run}/reschedule`, { delay: "1h" }],
        ["GET", "/api/v1/schedules"],
        ["GET", "/api/v1/queues"],
        ["POST", "/api/v1/waitpoints/tokens", {}],
        ["POST", "/api/v1/auth/public-tokens", { scopes: ["admin"] }],
        ["POST", "/api/v1/auth/jwt/claims"],
      ],
      false,
    ],
  ];

  const filled = (scope: string): string =>
    scope
      .replace("RUN", run)
      .replace("OTHER", untagged)
      .replace("BATCH", batch)
      .replace("WAITPOINT", waitpoint);

  it.each(rows.map((row, number) => [number, ...row] as const))(
    "%i: %j",
    async (_, scopes, requests, allowed) => {
      const token = await tokenFor(scopes.map(filled));
      for (const [method, path, body] of requests()) {
        const answer = await call(method, path, token, body);
        if (allowed) expect([path, answer.status < 300]).toEqual([path, true]);
        else {
          expect([path, answer.status, answer.body.code]).toEqual([path, 403, "not_allowed"]);
          expect(answer.body.error).toContain("Nothing was changed");
        }
      }
    },
  );

  it("belongs to one environment: another one's data is not found", async () => {
    const token = (await post("/api/v1/auth/public-tokens", other.prod, { scopes: ["admin"] })).body.token;
    for (const path of [`/api/v3/runs/${run}`, `/api/v2/batches/${batch}`])
      expect((await call("GET", path, token)).status).toBe(404);
    expect((await call<{ data: [] }>("GET", "/api/v1/runs", token)).body.data).toEqual([]);
  });
});

describe("creating a public token", () => {
  it.each([
    [{}, 400],
    [{ scopes: [] }, 400],
    [{ scopes: ["reed:runs"] }, 400],
    [{ scopes: ["read:runs"], expirationTime: "soon" }, 400],
    [{ scopes: ["read:runs"], expirationTime: "31d" }, 400],
    [{ scopes: ["read:runs"], expirationTime: 1 }, 400],
    [{ scopes: ["read:runs"], expirationTime: "1h" }, 200],
    [{ scopes: ["read:runs"], expirationTime: Math.floor(Date.now() / 1000) + 60 }, 200],
  ])("with %j is answered with %i", async (body, status) => {
    expect((await post("/api/v1/auth/public-tokens", project.prod, body)).status).toBe(status);
  });

  it("is also possible for code inside a run, which can't sign tokens itself", async () => {
    const { id } = (await post("/api/v1/tasks/hello/trigger", project.prod, {})).body;
    await start(id);
    const scopes = ["read:runs"];
    const { status, body } = await post("/api/v1/auth/public-tokens", runTokenOf(id), { scopes });
    expect(status).toBe(200);
    expect((await call("GET", `/api/v3/runs/${run}`, body.token)).status).toBe(200);
    expect((await post("/api/v1/auth/jwt/claims", runTokenOf(id))).status).toBe(400);
  });

  it("that has expired is refused, and says so", async () => {
    const token = issuePublicToken(env, project.prodKey, { scopes: ["read:runs"], seconds: -5 });
    const { status, body } = await call<Created>("GET", "/api/v1/runs", token);
    expect([status, body.code]).toEqual([401, "token_expired"]);
    expect(body.error).toMatch(/This public token expired at 20.*createPublicToken/);
  });

  it("is refused without a key, and with a public token only", async () => {
    const token = await tokenFor(["admin"]);
    expect((await post("/api/v1/auth/public-tokens", token, { scopes: ["read:runs"] })).status).toBe(403);
    expect((await post("/api/v1/auth/public-tokens", "a.b.c", { scopes: ["read:runs"] })).status).toBe(401);
  });
});

describe("a one-time token", () => {
  const trigger = (token: string, key?: string, body: unknown = { options: { delay: "1h" } }) =>
    post("/api/v1/tasks/hello/trigger", token, body, key ? { "x-trigger-request-idempotency-key": key } : {});

  it("triggers once; a repeated request returns the same run", async () => {
    const token = await tokenFor(["trigger:tasks:hello"], { oneTimeUse: true });
    const first = await trigger(token, "request-1");
    expect(first.status).toBe(200);
    expect((await trigger(token, "request-1")).body.id).toBe(first.body.id);
    for (const key of ["request-2", undefined]) {
      const { status, body } = await trigger(token, key);
      expect([status, body.code]).toEqual([422, "token_already_used"]);
      expect(body.error).toContain("one-time use token as it has already been used");
    }
    expect((await trigger(await tokenFor(["trigger:tasks:hello"], { oneTimeUse: true }))).status).toBe(200);
  });

  it("is not used up by an invalid request", async () => {
    const token = await tokenFor(["trigger:tasks:hello"], { oneTimeUse: true });
    expect((await trigger(token, "a", { options: { metadata: [1] } })).status).toBe(400);
    expect((await trigger(token, "b")).status).toBe(200);
  });

  it("creates one run when many use it at once", async () => {
    const token = await tokenFor(["trigger:tasks:hello"], { oneTimeUse: true });
    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => trigger(token, `race-${n}`)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(7).fill(422)]);
  });

  it("makes one batch", async () => {
    const token = await tokenFor(["batchTrigger:tasks:hello"], { oneTimeUse: true });
    const create = () => post("/api/v3/batches", token, { runCount: 1 }, { "x-trigger-client": "browser" });
    const created = await create();
    expect(created.status).toBe(202);
    expect((await create()).status).toBe(422);
    // A browser sends the items with the returned token.
    const back = created.headers.get("x-trigger-jwt") ?? "";
    const line = JSON.stringify({ index: 0, task: "hello", options: { delay: "1h" } });
    const items = await call("POST", `/api/v3/batches/${created.body.id}/items`, back, line, {
      "content-type": "application/x-ndjson",
    });
    expect([items.status, items.body.sealed]).toEqual([200, true]);
  });

  it("sends items to one batch, and only of its tasks", async () => {
    const token = await tokenFor(["batchTrigger:tasks:hello"], { oneTimeUse: true });
    const wrong = { runCount: 2, taskIdentifiers: ["hello", "other"] };
    expect((await post("/api/v3/batches", token, wrong)).status).toBe(403);
    const { id } = (await post("/api/v3/batches", token, { runCount: 2 })).body;
    const second = (await post("/api/v3/batches", project.prod, { runCount: 1 })).body.id;
    const send = (batchId: string, index: number, task: string) =>
      call("POST", `/api/v3/batches/${batchId}/items`, token, JSON.stringify({ index, task }), {
        "content-type": "application/x-ndjson",
      });
    expect((await send(id, 0, "other")).status).toBe(403);
    const first = await send(id, 0, "hello");
    expect([first.status, first.body.itemsAccepted]).toEqual([200, 1]);
    expect((await send(second, 0, "hello")).status).toBe(422);
    const last = await send(id, 1, "hello");
    expect([last.status, last.body.sealed]).toEqual([200, true]);
  });
});

describe("a returned token", () => {
  it("of a trigger reads that run, and keeps the skipped columns", async () => {
    const token = await tokenFor(["trigger:tasks"], { realtime: { skipColumns: ["payload"] } });
    const body = { options: { delay: "1h" } };
    const answer = await post("/api/v1/tasks/hello/trigger", token, body, { "trigger-version": "4.8.3" });
    const back = answer.headers.get("x-trigger-jwt") ?? "";
    const claims = JSON.parse(Buffer.from(back.split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({
      scopes: [`read:runs:${answer.body.id}`, `write:inputStreams:${answer.body.id}`],
      realtime: { skipColumns: ["payload"] },
    });
    expect((await call("GET", `/api/v3/runs/${answer.body.id}`, back)).status).toBe(200);
    expect((await call("GET", `/api/v3/runs/${run}`, back)).status).toBe(403);
  });
});

describe("a token that a client signs with its key", () => {
  const sign = (claims: object, key: string, header = '{"alg":"HS256"}'): string => {
    const body = [header, JSON.stringify(claims)]
      .map((part) => Buffer.from(part).toString("base64url"))
      .join(".");
    return `${body}.${createHmac("sha256", key).update(body).digest("base64url")}`;
  };
  const toSign = async (key: string): Promise<{ sub: string; sealed: string }> => {
    const { body, status } = await post<{ sub: string; sealed: string }>("/api/v1/auth/jwt/claims", key);
    expect(status).toBe(200);
    return body;
  };
  const claims = async (more: object = {}) => ({
    ...(await toSign(project.prod)),
    scopes: [`read:runs:${run}`],
    iss: "https://id.trigger.dev",
    aud: "https://api.trigger.dev",
    iat: Math.floor(Date.now() / 1000),
    exp: Math.floor(Date.now() / 1000) + 60,
    ...more,
  });
  const read = (token: string, id = run) => call("GET", `/api/v3/runs/${id}`, token);

  it("permits its scopes", async () => {
    const token = sign(await claims(), project.prod);
    expect((await read(token)).status).toBe(200);
    expect((await read(token, untagged)).status).toBe(403);
  });

  it("shows nobody the key", async () => {
    expect(JSON.stringify(await claims())).not.toContain(project.prod);
  });

  it("is refused if anything about it is invalid", async () => {
    const good = await claims();
    const another = await toSign(other.prod);
    const wrong: string[] = [
      sign(good, "tr_prod_guessed_key_of_somebody"),
      sign(good, project.prod, '{"alg":"none"}'),
      sign(good, project.prod, '{"alg":"HS256","typ":"JWT"}'),
      sign({ ...good, exp: 1 }, project.prod),
      sign({ ...good, iss: "https://example.com" }, project.prod),
      sign({ ...good, aud: "x" }, project.prod),
      sign({ ...good, sub: another.sub }, project.prod),
      sign({ ...good, sealed: another.sealed }, project.prod),
      sign({ ...good, sealed: another.sealed }, other.prod),
      sign({ ...good, sealed: "default.AAAA" }, project.prod),
      sign({ ...good, sealed: undefined }, project.prod),
    ];
    for (const token of wrong) expect((await read(token)).status).toBe(401);
  });
});
