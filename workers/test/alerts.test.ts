import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { createHash, createHmac } from "node:crypto";
import { parseRunId, randomBase36 } from "@acme/sdk/contract";
import type {
  AlertChannel,
  AlertDelivery,
  AlertRule,
  CreatedAlertChannel,
  ErrorGroupDetail,
  ListErrorsResponse,
} from "@acme/sdk/contract/api";
import { Webhook } from "@trigger.dev/core/v3";
import { eq } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { isOver, isStuck, minutesOfWait } from "../src/alerts/evaluate.ts";
import type { Notice } from "../src/alerts/notice.ts";
import { alertingProjection } from "../src/alerts/projection.ts";
import { urlProblem } from "../src/alerts/safe-url.ts";
import { send } from "../src/alerts/send.ts";
import { RETRY_MS } from "../src/alerts/store.ts";
import type { Bindings } from "../src/bindings.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { report, start } from "./host.ts";
import type { ReceivedHook } from "./outside/webhook-receiver.ts";
import { outside, type ReceivedMail, receivedBy, textOf } from "./outside.ts";
import { anEmail } from "./person.ts";
import { aRun } from "./storage/a-run.ts";

const received = async (name: string): Promise<ReceivedHook[]> =>
  (await fetch(`${outside.hooks}/received/${name}`)).json();

/** Creates a webhook channel. */
async function webhook(project: Project, query = "") {
  const name = randomBase36(12);
  const url = `${outside.hooks}/hook/${name}${query}`;
  const { status, body } = await call<CreatedAlertChannel>("POST", "/api/v1/alerts/channels", project.prod, {
    type: "webhook",
    name,
    url,
  });
  expect(status).toBe(201);
  return { ...body, name };
}

const rule = async (project: Project, channel: { id: string }, condition: object, more: object = {}) => {
  const body = { name: "a rule", condition, channels: [channel.id], ...more };
  const made = await call<AlertRule>("POST", "/api/v1/alerts/rules", project.prod, body);
  expect(made).toMatchObject({ status: 201 });
  return made.body;
};

async function fail(project: Project, task = "charge", message = "boom"): Promise<string> {
  const { body } = await call<{ id: string }>("POST", `/api/v1/tasks/${task}/trigger`, project.prod, {
    payload: {},
    options: { maxAttempts: 1 },
  });
  const run = await start(body.id);
  const stackTrace = `Error: ${message}\n    at charge (file:///bundle/src/trigger/billing.ts:10:11)`;
  const error = { type: "BUILT_IN_ERROR", name: "Error", message, stackTrace };
  const outcome = { type: "failure", error };
  await report({ completed: [{ runId: body.id, token: run.token, completedAt: Date.now(), outcome }] });
  return body.id;
}

const deliveries = async (project: Project, query = "") =>
  (await call<{ data: AlertDelivery[] }>("GET", `/api/v1/alerts/deliveries${query}`, project.prod)).body.data;

const objectOf = (project: Project) => env.ALERTS.getByName(project.prodKey);

async function aProject(): Promise<Project> {
  const project = await newProject();
  await deploy(project, ["charge", "mail"]);
  return project;
}

describe("addresses that alerts may go to", () => {
  it.each([
    "https://hooks.slack.com/services/T/B/x",
    "https://example.com/a?b=c",
    "https://8.8.8.8/",
    "https://[2606:4700::1111]/",
    "https://sub.internal.example.org/",
  ])("%s", (url) => expect(urlProblem(url, false)).toBeNull());

  it.each([
    "http://example.com/",
    "ftp://example.com/",
    "https://user:password@example.com/",
    "https://example.com:8443/",
    "https://localhost/",
    "https://localhost./",
    "https://metadata.google.internal/",
    "https://intranet/",
    "https://printer.local/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://10.1.2.3/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/",
    "https://198.18.0.1/",
    "https://224.0.0.1/",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001::1]/",
    "not a url",
    "",
  ])("are none such as %s", (url) => expect(urlProblem(url, false)).not.toBeNull());

  it("are all allowed if the operator says so", () => {
    expect(urlProblem("http://127.0.0.1:8080/", true)).toBeNull();
    expect(urlProblem("file:///etc/passwd", true)).not.toBeNull();
  });
});

describe("a threshold", () => {
  it.each([
    [{ failures: 3, windowMinutes: 5 }, 3, 3, true],
    [{ failures: 3, windowMinutes: 5 }, 2, 100, false],
    [{ percent: 50, minimumRuns: 4, windowMinutes: 5 }, 2, 4, true],
    [{ percent: 50, minimumRuns: 4, windowMinutes: 5 }, 3, 3, false],
    [{ percent: 50, minimumRuns: 4, windowMinutes: 5 }, 2, 5, false],
  ])("%j of %i failures among %i runs", (threshold, failed, judged, over) => {
    expect(isOver(threshold, { failed, judged })).toBe(over);
  });
});

describe("a queue that is stuck", () => {
  it.each<[string, [number, number][], boolean]>([
    [
      "runs wait and none starts",
      [
        [3, 0],
        [3, 0],
        [4, 0],
      ],
      true,
    ],
    [
      "one started",
      [
        [3, 0],
        [3, 1],
        [2, 0],
      ],
      false,
    ],
    [
      "it was empty meanwhile",
      [
        [3, 0],
        [0, 0],
        [3, 0],
      ],
      false,
    ],
    ["nothing is known", [], false],
  ])("%s", (_what, minutes, stuck) => {
    expect(isStuck(minutes.map(([queued, started]) => ({ queued, started })))).toBe(stuck);
  });

  it("is observed for longer than the delay", () => {
    expect([1, 60, 61, 86_400].map(minutesOfWait)).toEqual([3, 3, 4, 1442]);
  });
});

describe("channels and rules", () => {
  it("keep secrets sealed, and show them once", async () => {
    const project = await aProject();
    const { id, secret, name } = await webhook(project);
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const { body } = await call<{ data: AlertChannel[] }>("GET", "/api/v1/alerts/channels", project.prod);
    expect(body.data).toMatchObject([{ id, name, type: "webhook", target: new URL(outside.hooks).host }]);
    expect(JSON.stringify(body)).not.toContain("/hook/");
    expect(JSON.stringify(body)).not.toContain(secret);
    const other = await newProject();
    for (const [method, path] of [
      ["DELETE", ""],
      ["POST", "/test"],
    ] as const)
      expect(await call(method, `/api/v1/alerts/channels/${id}${path}`, other.prod)).toMatchObject({
        status: 404,
      });
  });

  it("are refused if they are invalid", async () => {
    const project = await aProject();
    const channel = { type: "webhook", name: "x", url: "file:///etc/passwd" };
    expect(await call("POST", "/api/v1/alerts/channels", project.prod, channel)).toMatchObject({
      status: 422,
      body: { code: "url_not_allowed" },
    });
    const body = { name: "x", condition: { type: "deployment_failed" }, channels: ["channel_none"] };
    expect(await call("POST", "/api/v1/alerts/rules", project.prod, body)).toMatchObject({
      status: 422,
      body: { code: "alert_channel_not_found" },
    });
    const { id } = await webhook(project);
    const queue = { ...body, channels: [id], condition: { type: "queue" } };
    expect((await call("POST", "/api/v1/alerts/rules", project.prod, queue)).status).toBe(400);
  });

  it("can be changed and deleted", async () => {
    const project = await aProject();
    const channel = await webhook(project);
    const { id } = await rule(project, channel, { type: "deployment_failed" });
    const changed = { name: "b", condition: { type: "error" }, channels: [channel.id], enabled: false };
    const put = await call<AlertRule>("PUT", `/api/v1/alerts/rules/${id}`, project.prod, changed);
    expect(put.body).toMatchObject({ id, name: "b", enabled: false, condition: { on: ["new", "reopened"] } });
    expect((await call("DELETE", `/api/v1/alerts/rules/${id}`, project.prod)).body).toEqual({ id });
    expect((await call("DELETE", `/api/v1/alerts/channels/${channel.id}`, project.prod)).status).toBe(200);
    const { body } = await call<{ data: AlertRule[] }>("GET", "/api/v1/alerts/rules", project.prod);
    expect(body.data).toEqual([]);
  });
});

describe("the test button", () => {
  it("says how it went, at once and once", async () => {
    const project = await aProject();
    const test = async (query: string) => {
      const { id } = await webhook(project, query);
      return (
        await call<{ data: AlertDelivery[] }>("POST", `/api/v1/alerts/channels/${id}/test`, project.prod)
      ).body.data;
    };
    expect(await test("")).toMatchObject([{ type: "alert.test", status: "delivered", lastStatus: 200 }]);
    expect(await test("?status=500")).toMatchObject([{ status: "failed", attempts: 1, lastStatus: 500 }]);
    const [redirected] = await test("?status=302");
    expect(redirected).toMatchObject({ status: "failed", lastStatus: 302 });
    expect(redirected?.lastError).toContain("redirect");
    expect(await received("redirected")).toEqual([]);
  });

  it("reaches Slack and mail", async () => {
    const project = await aProject();
    const name = randomBase36(12);
    const slack = { type: "slack", name, url: `${outside.hooks}/hook/${name}` };
    const mail = { type: "email", name: "mail", addresses: ["a@acme.test", "b@acme.test"] };
    for (const [body, count] of [
      [slack, 1],
      [mail, 2],
    ] as const) {
      const { body: channel } = await call<AlertChannel>(
        "POST",
        "/api/v1/alerts/channels",
        project.prod,
        body,
      );
      const tested = await call<{ data: AlertDelivery[] }>(
        "POST",
        `/api/v1/alerts/channels/${channel.id}/test`,
        project.prod,
      );
      expect(tested.body.data.map(({ status }) => status)).toEqual(Array(count).fill("delivered"));
    }
    const [hook] = await received(name);
    expect(JSON.parse(hook?.body ?? "")).toMatchObject({
      text: expect.stringContaining("A test of the alerts"),
      blocks: [{ type: "section" }],
    });
  });
});

describe("a notice by mail", () => {
  const mailing = (port: number): Bindings => ({
    ...env,
    MAIL_URL: `smtp://127.0.0.1:${port}?tls=none`,
    MAIL_FROM: "Acme <no-reply@acme.test>",
    PUBLIC_URL: "http://acme.test",
  });
  const notice: Notice = {
    type: "alert.run.failed",
    title: "charge failed\r\nBcc: somebody@else.test",
    lines: ["Run run_1", "Error: boom"],
    link: "http://acme.test/run",
    object: {},
  };

  it("goes through SMTP, and adds no header", async () => {
    const target = anEmail();
    const sending = { id: "msg_1", createdAt: 0, notice, target };
    const destination = { type: "email" as const, addresses: [target] };
    expect(await send(mailing(outside.ports.plain), destination, sending)).toMatchObject({ ok: true });
    const [mail] = await receivedBy(target);
    expect(textOf(mail as ReceivedMail)).toContain("Error: boom\r\n\r\nhttp://acme.test/run");
    expect(mail?.raw).not.toMatch(/^Bcc:/m);
  });

  it("says why it was refused", async () => {
    const sending = { id: "msg_2", createdAt: 0, notice, target: "nobody@acme.test" };
    const destination = { type: "email" as const, addresses: [sending.target] };
    expect(await send(mailing(outside.ports.refusing), destination, sending)).toMatchObject({
      ok: false,
      error: expect.stringContaining("No such mailbox"),
    });
  });
});

describe("alerts", () => {
  it("report failed runs, signed, once per task and interval", async () => {
    const project = await aProject();
    const channel = await webhook(project);
    await rule(project, channel, { type: "run_failed", tasks: ["charge"] });
    await fail(project, "mail");
    const runId = await fail(project, "charge", "boom <&>");
    const [hook] = await until(async () => {
      const hooks = await received(channel.name);
      return hooks.length > 0 ? hooks : undefined;
    });
    await fail(project);
    const { headers, body } = hook as ReceivedHook;
    const parsed = Webhook.parse(JSON.parse(body));
    expect(parsed).toMatchObject({
      id: headers["webhook-id"],
      type: "alert.run.failed",
      object: { run: { id: runId, status: "FAILED" }, task: { id: "charge", filePath: "charge.ts" } },
    });
    const secret = channel.secret as string;
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    expect(headers["webhook-signature"]).toBe(
      `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
    );
    expect(headers["x-trigger-signature-hmacsha256"]).toBe(
      createHmac("sha256", secret).update(body).digest("hex"),
    );
    // The object has processed the last failure, and sent nothing about it.
    await until(() =>
      runInDurableObject(
        objectOf(project),
        (_, { storage }) => storage.sql.exec("SELECT count(*) AS count FROM failures").one().count === 0,
      ),
    );
    expect(await received(channel.name)).toHaveLength(1);
    expect(await deliveries(project)).toMatchObject([
      { status: "delivered", attempts: 1, type: "alert.run.failed" },
    ]);
  });

  it("report a failure rate", async () => {
    const project = await aProject();
    const channel = await webhook(project);
    await rule(project, channel, { type: "run_failed", threshold: { failures: 3, windowMinutes: 60 } });
    for (let n = 0; n < 3; n++) await fail(project);
    const [delivery] = await until(async () => {
      const all = await deliveries(project);
      return all.length > 0 ? all : undefined;
    });
    expect(delivery).toMatchObject({
      type: "alert.run.rate",
      title: expect.stringContaining("3 runs failed"),
    });
  });

  it("report new and recurring errors, but not ignored ones", async () => {
    const project = await aProject();
    const channel = await webhook(project);
    await rule(project, channel, { type: "error" });
    await fail(project);
    const wait = (count: number) =>
      until(async () => {
        const hooks = (await received(channel.name)).map(({ body }) => Webhook.parse(JSON.parse(body)));
        return hooks.length >= count ? hooks : undefined;
      });
    expect((await wait(1))[0]).toMatchObject({
      type: "alert.error",
      object: { classification: "new_issue", error: { taskIdentifier: "charge", message: "boom" } },
    });
    const { body } = await call<ListErrorsResponse>("GET", "/api/v1/errors", project.prod);
    const path = `/api/v1/errors/${body.data[0]?.id}`;
    await call<ErrorGroupDetail>("POST", `${path}/ignore`, project.prod, { totalOccurrences: 2 });
    await fail(project);
    await fail(project);
    expect((await wait(2))[1]).toMatchObject({ object: { classification: "unignored" } });
  });

  it("report a failed build once, however often it is reported", async () => {
    const project = await newProject();
    const bundle = "export const tasks = 1;";
    const contentHash = createHash("sha256").update(bundle).digest("hex");
    const path = `/api/v1/projects/${project.ref}/prod/bundles/${contentHash}`;
    await call("PUT", path, project.accessToken, bundle, { "content-type": "text/javascript" });
    const channel = await webhook(project);
    await rule(project, channel, { type: "deployment_failed" });
    const manifest = { tasks: [{ id: "a", filePath: "a.ts" }] };
    const begun = await call<{ id: string; version: string }>("POST", "/api/v1/deployments", project.prod, {
      contentHash,
      manifest,
      imageRepository: `registry.example.com/acme/${project.ref}`,
    });
    const error = { message: "npm ended with 1" };
    for (let n = 0; n < 2; n++)
      await call("POST", `/api/v1/deployments/${begun.body.id}/fail`, project.prod, { error });
    const hooks = await until(async () => {
      const all = await received(channel.name);
      return all.length > 0 ? all : undefined;
    });
    expect(Webhook.parse(JSON.parse(hooks[0]?.body ?? ""))).toMatchObject({
      type: "alert.deployment.failed",
      object: { deployment: { version: begun.body.version, status: "FAILED" }, error },
    });
    expect(await deliveries(project)).toHaveLength(1);
  });

  it("report builds that did not end in time, and none that did", async () => {
    const project = await aProject();
    const bundle = "export const tasks = 2;";
    const contentHash = createHash("sha256").update(bundle).digest("hex");
    const path = `/api/v1/projects/${project.ref}/prod/bundles/${contentHash}`;
    await call("PUT", path, project.accessToken, bundle, { "content-type": "text/javascript" });
    const channel = await webhook(project);
    await rule(project, channel, { type: "deployment_failed" });
    const begin = async () => {
      const made = await call<{ id: string; version: string }>("POST", "/api/v1/deployments", project.prod, {
        contentHash,
        manifest: { tasks: [{ id: "a", filePath: "a.ts" }] },
        imageRepository: `registry.example.com/acme/${project.ref}`,
      });
      expect(made.status).toBe(201);
      return made.body;
    };
    const [late, finished] = [await begin(), await begin()];
    const imageDigest = `sha256:${"a".repeat(64)}`;
    await call("POST", `/api/v3/deployments/${finished.id}/finalize`, project.prod, {
      contentHash,
      imageDigest,
    });
    await runInDurableObject(objectOf(project), async (_, { storage }) => {
      // Each wakes the object when its time is over, and not before.
      const [first] = storage.sql.exec<{ at: number }>("SELECT min(due_at) AS at FROM builds").toArray();
      expect(first?.at).toBeGreaterThan(Date.now() + 50 * 60_000);
      expect(await storage.getAlarm()).toBeLessThanOrEqual(first?.at ?? 0);
      storage.sql.exec("UPDATE builds SET due_at = 0");
    });
    const { db, tables } = openSql(env);
    for (const { id } of [late, finished])
      await db
        .update(tables.deployments)
        .set({ createdAt: Date.now() - 2 * 3_600_000 })
        .where(eq(tables.deployments.id, id));
    await runDurableObjectAlarm(objectOf(project));
    const hooks = await until(async () => {
      const all = await received(channel.name);
      return all.length > 0 ? all : undefined;
    });
    expect(Webhook.parse(JSON.parse(hooks[0]?.body ?? ""))).toMatchObject({
      type: "alert.deployment.failed",
      object: {
        deployment: { version: late.version },
        error: { message: expect.stringContaining("60 minutes") },
      },
    });
    expect(await deliveries(project)).toHaveLength(1);
  });

  it("report deep queues", async () => {
    const project = await aProject();
    const channel = await webhook(project);
    for (let n = 0; n < 3; n++)
      await call("POST", "/api/v1/tasks/mail/trigger", project.prod, {
        payload: {},
        options: { queue: { name: "slow" }, concurrencyKey: "k" },
      });
    await call("POST", "/api/v1/queues/task%2Fmail/pause", project.prod, { type: "custom", action: "pause" });
    await rule(project, channel, { type: "queue", depth: 1 });
    const [delivery] = await until(async () => {
      const all = await deliveries(project);
      return all.length > 0 ? all : undefined;
    });
    expect(delivery).toMatchObject({ type: "alert.queue", title: expect.stringContaining("runs wait") });
  });

  it("report queues in which nothing starts, whose runs have no delay to measure", async () => {
    const project = await aProject();
    const channel = await webhook(project);
    await call("POST", "/api/v1/tasks/mail/trigger", project.prod, { payload: {} });
    const queueKey = parseRunId(
      (await call<{ id: string }>("POST", "/api/v1/tasks/mail/trigger", project.prod, { payload: {} })).body
        .id,
    )?.queueKey as string;
    // As if the runs had been triggered ten minutes ago.
    await runInDurableObject(env.QUEUE.getByName(queueKey), (_, { storage }) => {
      const minute = Math.floor(Date.now() / 60_000) - 10;
      storage.sql.exec(
        `INSERT INTO metrics (minute, queued_most, queued_last, running_most, running_last, started, ended, delays)
         VALUES (?, 2, 2, 0, 0, 0, 0, '[]')`,
        minute,
      );
    });
    await until(async () => {
      const { body } = await call<{ data: { name: string; queued: number }[] }>(
        "GET",
        "/api/v1/queues",
        project.prod,
      );
      return body.data.some(({ queued }) => queued === 2) ? true : undefined;
    });
    await rule(project, channel, { type: "queue", delaySeconds: 300 });
    const [delivery] = await until(async () => {
      const all = await deliveries(project);
      return all.length > 0 ? all : undefined;
    });
    expect(delivery).toMatchObject({ type: "alert.queue", title: expect.stringContaining("waited 300 s") });
  });

  it("are sent again with growing delays, under the same id, and given up in the end", async () => {
    const project = await aProject();
    const channel = await webhook(project, "?status=503&times=3");
    await rule(project, channel, { type: "run_failed" });
    await fail(project);
    const attempts = (count: number) =>
      until(async () => {
        const [delivery] = await deliveries(project);
        return delivery && delivery.attempts >= count && delivery.lastStatus !== null ? delivery : undefined;
      });
    const first = await attempts(1);
    expect(first).toMatchObject({ status: "pending", lastStatus: 503 });
    const again = async () => {
      await runInDurableObject(objectOf(project), (_, { storage }) =>
        storage.sql.exec("UPDATE deliveries SET next_at = 0"),
      );
      await runDurableObjectAlarm(objectOf(project));
    };
    const waited = Date.parse(first.nextAttemptAt as string) - Date.parse(first.createdAt);
    expect(waited).toBeGreaterThanOrEqual(RETRY_MS[0]);
    await again();
    await again();
    await again();
    expect(await attempts(4)).toMatchObject({ status: "delivered", lastStatus: 200 });
    const hooks = await received(channel.name);
    expect(hooks).toHaveLength(4);
    expect(new Set(hooks.map(({ headers }) => headers["webhook-id"])).size).toBe(1);

    const refusing = await webhook(project, "?status=410");
    await rule(project, refusing, { type: "run_failed", tasks: ["mail"] });
    await fail(project, "mail");
    await until(async () => {
      const all = await deliveries(project, `?filter[channel]=${refusing.id}`);
      return all[0]?.status === "failed";
    });
  });

  it("arrive even if the object dies during a delivery and receives a failure twice", async () => {
    const project = await aProject();
    const channel = await webhook(project);
    const dead = await webhook(project, "?silent=1");
    await rule(project, channel, { type: "run_failed" });
    await rule(project, dead, { type: "run_failed" });
    const row = aRun(project.prodKey, {
      task: "charge",
      status: "CRASHED",
      version: 3,
      completedAt: Date.now(),
      errorName: "Error",
      errorFingerprint: "00000000000000bb",
    });
    // Rows are sent again after a crash of their queue. The run no longer exists, so an existing one must be
    // reported.
    const runId = await fail(project);
    await alertingProjection(env).upsertRuns([row]);
    await alertingProjection(env).upsertRuns([row]);
    await until(async () => (await received(channel.name)).length > 0);
    // It began to send, and died before it knew the result.
    await runInDurableObject(objectOf(project), (_, { storage }) =>
      storage.sql.exec(
        "UPDATE deliveries SET status = 'pending', next_at = 0, completed_at = NULL WHERE channel_id = ?",
        channel.id,
      ),
    );
    await evictDurableObject(objectOf(project));
    await runDurableObjectAlarm(objectOf(project));
    const hooks = await until(async () => {
      const all = await received(channel.name);
      return all.length >= 2 ? all : undefined;
    });
    expect(new Set(hooks.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(hooks[0]?.body).toContain(runId);
    await until(
      async () => (await deliveries(project, `?filter[channel]=${channel.id}`))[0]?.status === "delivered",
    );
  });

  it("of one environment never wait for a receiver of another", async () => {
    const [slow, other] = await Promise.all([aProject(), aProject()]);
    const silent = await webhook(slow, "?silent=1");
    const channel = await webhook(other);
    await rule(slow, silent, { type: "run_failed" });
    await rule(other, channel, { type: "run_failed" });
    await fail(slow);
    await until(async () => (await received(silent.name)).length > 0);
    await fail(other);
    await until(async () => (await deliveries(other))[0]?.status === "delivered");
    expect(await deliveries(slow)).toMatchObject([{ status: "pending", attempts: 1, completedAt: null }]);
  });
});
