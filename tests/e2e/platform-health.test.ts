/**
 * How the platform reports its own health: logs with ids and without secrets, scraped and pushed metrics, the
 * state of its parts.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type ApiClientConfiguration, auth, runs, tasks, wait } from "@acme/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, ROOT, startLocalServer } from "../support/local-server.ts";

/** A substring of everything that must not be in a log. */
const MARKER = "MARKERSECRET";

const TASKS = `
import { logger, metadata, task, wait } from "@acme/sdk";

export const handles = task({
  id: "handles",
  retry: { maxAttempts: 1 },
  run: async ({ secret, how }: { secret: string; how: string }) => {
    logger.error("a line with " + secret, { secret });
    console.error(process.env.VARIABLE);
    metadata.set("secret", secret);
    if (how === "throw") throw new Error("failed with " + secret);
    if (how === "exit") {
      process.stderr.write(secret + "\\n");
      process.exit(3);
    }
    if (how === "reject") {
      Promise.reject(new Error(secret));
      await new Promise(() => {});
    }
    return { secret };
  },
});
`;

let server: LocalServer;
let client: ApiClientConfiguration;
let collector: Server;
/** The pushed metrics, by content type. */
const pushed: { type: string; scope: unknown; path: string; body: string }[] = [];
beforeAll(async () => {
  collector = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { "content-type": type = "", "x-scope": scope } = request.headers;
    pushed.push({ type, scope, path: request.url ?? "", body: Buffer.concat(chunks).toString("latin1") });
    response.writeHead(200).end();
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  server = await startLocalServer({
    example: false,
    env: { LOG_FORMAT: "json", LOG_LEVEL: "debug" },
    settings: {
      MAIL_URL: `smtp://mailer:${MARKER}-mail@127.0.0.1:1`,
      ALERT_NETWORKS: "local",
      NETWORKS: "local",
      PUBLIC_URL: "http://127.0.0.1",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_HEADERS: `x-scope=${MARKER}-header`,
      OTEL_METRIC_EXPORT_INTERVAL: "1000",
    },
  });
  client = { baseURL: server.apiUrl, accessToken: server.secretKey };
  await deployTaskFile(server, TASKS);
});
afterAll(async () => {
  await server?.stop();
  collector?.closeAllConnections();
  collector?.close();
});

async function call(method: string, path: string, body?: unknown, token = server.secretKey) {
  const response = await fetch(`${server.apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return {
    status: response.status,
    body: (await response.json().catch(() => null)) as Record<string, string>,
  };
}

it("logs JSON with the ids of runs, and no payload, variable, key or token", async () => {
  await call("POST", `/api/v1/projects/${server.projectRef}/envvars/prod`, {
    name: "VARIABLE",
    value: `${MARKER}-variable`,
  });
  const channel = await call("POST", "/api/v1/alerts/channels", {
    type: "webhook",
    name: "Nobody answers",
    url: `http://127.0.0.1:1/${MARKER}-path?key=${MARKER}-query`,
  });
  expect(channel.status).toBe(201);
  await call("POST", "/api/v1/alerts/rules", {
    name: "Failures",
    condition: { type: "run_failed" },
    channels: [channel.body.id],
    intervalMinutes: 1,
  });
  const ids = await auth.withAuth(client, async () => {
    const handles = [];
    for (const how of ["return", "throw", "exit", "reject"])
      handles.push(
        await tasks.trigger(
          "handles",
          { secret: `${MARKER}-payload`, how },
          {
            tags: [`${MARKER}-tag`],
            idempotencyKey: `${MARKER}-key-${how}`,
            metadata: { at: `${MARKER}-metadata` },
          },
        ),
      );
    const token = await wait.createToken({ tags: [`${MARKER}-tag`] });
    // Refused requests, and broken ones.
    await call("POST", `${new URL(token.url).pathname}x`, { secret: `${MARKER}-callback` });
    await call("POST", "/api/v1/tasks/handles/trigger", `{"payload": "${MARKER}-broken`);
    await call(
      "POST",
      "/api/v1/tasks/none/trigger",
      { payload: `${MARKER}-none` },
      `tr_prod_sk_${MARKER}0123456789`,
    );
    await call("POST", "/otel/v1/logs", `{"resourceLogs": "${MARKER}-otlp"}`);
    await call("POST", `/api/v1/alerts/channels/${channel.body.id}/test`, {});
    await call("POST", "/admin/v1/test-mails", { to: "ada@example.com" }, secrets().adminToken);
    for (const handle of handles) await runs.poll(handle, { pollIntervalMs: 100 });
    // The host and the Worker both log when the other is gone.
    server.kill("worker", "SIGKILL");
    await eventually("the Worker is back", async () => {
      const answer = await fetch(`${server.apiUrl}/healthz`).catch(() => null);
      return answer?.ok;
    });
    const again = await tasks.trigger("handles", { secret: `${MARKER}-again`, how: "return" });
    await runs.poll(again, { pollIntervalMs: 100 });
    return [...handles, again].map(({ id }) => id);
  });
  const lines = await eventually("the last run is logged", () => {
    const output = server.output().split("\n");
    return output.some((line) => line.includes(ids.at(-1) ?? "") && line.includes("ended"))
      ? output
      : undefined;
  });

  const records = lines
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  for (const record of records)
    expect(record).toMatchObject({
      time: expect.any(String),
      level: expect.stringMatching(/^(debug|info|warn|error)$/),
      part: expect.stringMatching(/^(server|worker|host)$/),
      message: expect.any(String),
    });
  for (const run of ids)
    expect(records).toContainEqual(
      expect.objectContaining({
        part: "host",
        run,
        environment: expect.any(String),
        outcome: expect.any(String),
      }),
    );
  expect(records).toContainEqual(
    expect.objectContaining({ part: "worker", environment: expect.any(String), route: expect.any(String) }),
  );

  const text = lines.join("\n");
  expect(text).not.toContain(MARKER);
  for (const secret of Object.values(secrets())) expect(text).not.toContain(secret);
});

const secrets = (): Record<string, string> =>
  JSON.parse(readFileSync(join(server.dataDir, "secrets.json"), "utf8"));

async function hostMetrics(): Promise<string> {
  const url = /"metrics":"([^"]+)"/.exec(server.output())?.[1];
  return (await fetch(`${url}/metrics`)).text();
}

const namesIn = (text: string): Set<string> =>
  new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name as string));

it("has each metric that the dashboard and the rules use, in a scrape that Prometheus can read", async () => {
  const sample = (text: string, name: string): number =>
    Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  const worker = await eventually("an alarm of an object came", async () => {
    const answer = await fetch(`${server.apiUrl}/metrics`, {
      headers: { authorization: `Bearer ${secrets().metricsToken}` },
    });
    expect(answer.status).toBe(200);
    const text = await answer.text();
    return sample(text, "acme_object_alarms_total") > 0 && text;
  });
  const host = await hostMetrics();
  const known = new Set([...namesIn(worker), ...namesIn(host)]);
  for (const path of ["acme-alerts.yml", "acme-dashboard.json"]) {
    const text = readFileSync(join(ROOT, "deploy/grafana", path), "utf8");
    const named = [...text.matchAll(/\bacme_[a-z0-9_]+/g)].map(([name]) => name.replace(/_bucket$/, ""));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  }
  for (const scrape of [worker, host]) {
    // 3: readable, with advice about names.
    const checked = spawnSync("promtool", ["check", "metrics"], { input: scrape, encoding: "utf8" });
    if (!checked.error)
      expect([checked.status, checked.stderr]).toEqual([expect.toBeOneOf([0, 3]), expect.any(String)]);
  }
  expect(sample(worker, "acme_hosts")).toBe(1);
  expect(sample(worker, 'acme_objects_awake\\{class="queue"\\}')).toBeGreaterThan(0);
  expect(
    (
      await fetch(`${server.apiUrl}/metrics`, {
        headers: { authorization: `Bearer ${secrets().adminToken}` },
      })
    ).status,
  ).toBe(401);
});

it("pushes the metrics of Worker, objects and host to the collector that the operator names", async () => {
  const worker = await eventually("the Worker's metrics arrive", () =>
    pushed.find(({ type, body }) => type.includes("json") && body.includes("acme_object_alarms_total")),
  );
  expect(worker).toMatchObject({ path: "/v1/metrics", scope: `${MARKER}-header` });
  expect(JSON.parse(worker.body)).toMatchObject({
    resourceMetrics: [{ scopeMetrics: [{ scope: { name: "acme" } }] }],
  });
  const host = await eventually("the host's metrics arrive", () =>
    pushed.find(
      ({ type, body }) => type.includes("protobuf") && body.includes("acme_host_attempts_ended_total"),
    ),
  );
  expect(host).toMatchObject({ path: "/v1/metrics", scope: `${MARKER}-header` });
});

it("reports each part in its health", async () => {
  const health = await (await fetch(`${server.apiUrl}/healthz`)).json();
  expect(health).toEqual({
    ok: true,
    worker: "ok",
    objects: "ok",
    database: "ok",
    configuration: "ok",
    blobs: "ok",
    hosts: "ok",
    mail: expect.stringMatching(/^(ok|.*MAIL_FROM.*)$/),
  });
});
