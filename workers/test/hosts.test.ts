import { env } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { type DequeuedRun, HOST_PROTOCOL, LEASE_HEADER } from "@acme/sdk/contract";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../tests/support/until.ts";
import { issueRunToken } from "../src/hosts/run-tokens.ts";
import {
  ADMIN_TOKEN,
  call,
  callAsHost,
  deploy,
  HOST_TOKEN,
  hostCredential,
  newProject,
  type Project,
} from "./client.ts";

let one: Project;
let other: Project;
beforeAll(async () => {
  one = await newProject();
  other = await newProject();
  await deploy(one, ["hello"]);
  await deploy(other, ["hello"]);
});

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const register = (hostId: string, credential = hostCredential(hostId), token = HOST_TOKEN) =>
  call<{ hostId: string; code: string; error: string }>("POST", "/engine/v1/hosts", token, {
    hostId,
    credentialHash: hashOf(credential),
    name: `${hostId}.example`,
  });

let lastHost = 0;
/** Registers a separate host. */
function newHost() {
  lastHost += 1;
  const hostId = `host-${lastHost}.of-the-test`;
  const session = { protocol: HOST_PROTOCOL, hostId, sessionId: `session-of-${hostId}` };
  const poll = async (max = 10, waitMs = 300): Promise<DequeuedRun[]> =>
    (await callAsHost<{ runs: DequeuedRun[] }>("dequeue", { ...session, max, waitMs })).body.runs;
  const report = (parts: object) => callAsHost<Record<string, string[]>>("report", { ...session, ...parts });
  /** Triggers a run that this host gets. */
  const lease = async (project: Project): Promise<DequeuedRun> => {
    const { id } = (await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {})).body;
    return until(async () => (await poll()).find((run) => run.runId === id), { timeout: 20_000 });
  };
  // Prefetched runs go to other hosts.
  onTestFinished(async () => void (await report({ goodbye: true })));
  return { hostId, session, credential: hostCredential(hostId), poll, report, lease };
}

const ok = { type: "success", output: "1", outputType: "application/json" };
const endOf = ({ runId, token }: DequeuedRun) => ({ runId, token, completedAt: Date.now(), outcome: ok });
const statusOf = async (project: Project, runId: string) =>
  (await call("GET", `/api/v3/runs/${runId}`, project.prod)).body.status;

interface Listed {
  data: { hostId: string; state: string; name: string; lastSeenAt?: string; revokedAt?: string }[];
}
const listed = async (hostId: string) => {
  const { body } = await call<Listed>("GET", "/admin/v1/hosts", ADMIN_TOKEN);
  return body.data.find((host) => host.hostId === hostId);
};

describe("registering a host", () => {
  it("is idempotent for one credential, and refused for another one", async () => {
    expect((await register("idempotent")).body).toEqual({ hostId: "idempotent" });
    expect((await register("idempotent")).status).toBe(200);
    const { status, body } = await register("idempotent", "another");
    expect([status, body.code]).toEqual([409, "host_exists"]);
    const poll = { protocol: HOST_PROTOCOL, hostId: "idempotent", sessionId: "s", max: 0, waitMs: 0 };
    const path = "/engine/v1/worker-actions/dequeue";
    expect((await call("POST", path, hostCredential("idempotent"), poll)).status).toBe(200);
  });

  it("takes the host token, which is valid for nothing else", async () => {
    expect((await register("x", "y", "wrong-token-of-a-host")).status).toBe(401);
    const request = { protocol: HOST_PROTOCOL, hostId: "x", sessionId: "s", max: 0, waitMs: 0 };
    const answer = await call("POST", "/engine/v1/worker-actions/dequeue", HOST_TOKEN, request);
    expect([answer.status, answer.body.code]).toEqual([401, "host_not_registered"]);
  });

  it.each(["", "a/b", "ä", "x".repeat(129)])("refuses %j as a host's id", async (hostId) => {
    expect((await register(hostId)).status).toBe(400);
  });
});

describe("a host's credential", () => {
  it("is valid for that host only", async () => {
    const host = newHost();
    await host.poll(0, 0);
    const request = { protocol: HOST_PROTOCOL, hostId: "somebody", sessionId: "s", max: 0, waitMs: 0 };
    for (const action of ["dequeue", "report"]) {
      const path = `/engine/v1/worker-actions/${action}`;
      const { status, body } = await call("POST", path, host.credential, request);
      expect([status, body.code]).toEqual([403, "not_your_host"]);
    }
  });

  it("of the right form but with another secret is refused", async () => {
    const host = newHost();
    await host.poll(0, 0);
    const forged = `${host.credential.slice(0, -1)}x`;
    const { status, body } = await call("POST", "/engine/v1/worker-actions/report", forged, host.session);
    expect([status, body.code]).toEqual([401, "host_not_registered"]);
  });
});

describe("a lease", () => {
  it("belongs to its host: reports of another host change nothing", async () => {
    const holder = newHost();
    const stranger = newHost();
    const run = await holder.lease(one);
    const { runId, token, attempt } = run;
    const started = [{ runId, token, startedAt: Date.now() }];
    const journals = [
      {
        runId,
        token,
        attempt,
        entries: [{ number: 0, kind: "step", name: "a", startedAt: 1, result: { ok: true } }],
      },
    ];
    const parts = {
      started,
      journals,
      heartbeats: [{ runId, token }],
      suspensions: [{ runId, token, waits: [0] }],
      completed: [endOf(run)],
    };
    const { body } = await stranger.report(parts);
    expect(body).toMatchObject({
      started: ["stale"],
      journals: ["stale"],
      heartbeats: ["stale"],
      suspensions: [{ verdict: "stale" }],
      completed: ["stale"],
      apiTokens: [null],
    });
    // Also where it claims the session of the holder.
    const claimed = { ...stranger.session, sessionId: holder.session.sessionId, ...parts };
    expect((await callAsHost<typeof body>("report", claimed)).body.completed).toEqual(["stale"]);
    expect(await statusOf(one, runId)).toBe("DEQUEUED");
    expect((await holder.report({ started, completed: [endOf(run)] })).body.completed).toEqual(["ok"]);
    expect(await statusOf(one, runId)).toBe("COMPLETED");
  });

  it("is required for logs: those of a run that the host never had are refused", async () => {
    const holder = newHost();
    const stranger = newHost();
    const run = await holder.lease(one);
    const { runId, attempt, apiToken } = run;
    const entries = [{ time: Date.now(), level: "info", message: "forged" }];
    const forged = issueRunToken(env, stranger.hostId, { runId: `${runId.slice(0, -1)}0`, token: 1 });
    for (const shown of [undefined, apiToken, forged, "a.b.c"]) {
      const logs = [{ runId, attempt, apiToken: shown, entries }];
      expect((await stranger.report({ logs })).body.logs).toEqual(["refused"]);
    }
    const own = [{ runId, attempt, apiToken, entries: [{ ...entries[0], message: "genuine" }] }];
    expect((await holder.report({ completed: [endOf(run)] })).body.completed).toEqual(["ok"]);
    // They may come after the end.
    expect((await holder.report({ logs: own })).body.logs).toEqual(["ok"]);
    const { body } = await call<{ events: { message: string }[] }>(
      "GET",
      `/api/v1/runs/${runId}/events`,
      one.prod,
    );
    const messages = body.events.map(({ message }) => message);
    expect(messages).toContain("genuine");
    expect(messages).not.toContain("forged");
  });

  it("is required for a host to get a deployment and its bundle", async () => {
    const host = newHost();
    const run = await host.lease(one);
    const path = `/engine/v1/worker-actions/deployments/${run.deployment.id}`;
    const get = (suffix: string, apiToken?: string, credential = host.credential) =>
      call<Record<string, unknown> | string>(
        "GET",
        path + suffix,
        credential,
        undefined,
        apiToken ? { [LEASE_HEADER]: apiToken } : {},
      );
    expect((await get("", run.apiToken)).body).toMatchObject({ id: run.deployment.id, env: {} });
    expect((await get("/bundle", run.apiToken)).body).toContain("export const tasks");
    const elsewhere = await host.lease(other);
    const stranger = newHost();
    await stranger.poll(0, 0);
    for (const suffix of ["", "/bundle"]) {
      expect((await get(suffix)).status).toBe(404);
      expect((await get(suffix, elsewhere.apiToken)).status).toBe(404);
      expect((await get(suffix, run.apiToken, stranger.credential)).status).toBe(404);
    }
    await host.report({ completed: [endOf(run), endOf(elsewhere)] });
  });
});

describe("the token of a lease", () => {
  it("acts in its environment until the lease is over, and is refused then", async () => {
    const host = newHost();
    const run = await host.lease(one);
    const token = run.apiToken as string;
    const list = () => call("GET", "/api/v1/runs", token);
    expect((await list()).status).toBe(200);
    expect((await call("GET", `/api/v3/runs/${run.runId}`, token)).status).toBe(200);
    await host.report({ completed: [endOf(run)] });
    const { status, body } = await list();
    expect([status, body.code]).toEqual([401, "run_token_ended"]);
    expect(body.error).toContain(run.runId);
  });

  it("is renewed with each heartbeat of its holder", async () => {
    const host = newHost();
    const run = await host.lease(one);
    const { runId, token } = run;
    await host.report({ started: [{ runId, token, startedAt: Date.now() }] });
    const { body } = await host.report({
      heartbeats: [
        { runId, token },
        { runId, token: token + 1 },
      ],
    });
    expect(body.heartbeats).toEqual(["ok", "stale"]);
    expect(body.apiTokens).toEqual([expect.any(String), null]);
    expect((await call("GET", "/api/v1/runs", body.apiTokens?.[0] as string)).status).toBe(200);
    await host.report({ completed: [endOf(run)] });
    expect((await call("GET", "/api/v1/runs", body.apiTokens?.[0] as string)).status).toBe(401);
  });

  it("is valid for minutes", async () => {
    const run = { runId: (await newHost().lease(one)).runId, token: 1 };
    const expired = issueRunToken(env, "host", run, Date.now() - 6 * 60_000);
    expect((await call("GET", "/api/v1/runs", expired)).status).toBe(401);
    const late = issueRunToken(env, "host", run, Date.now() - 5 * 60_000);
    expect((await call("GET", "/api/v1/runs", late)).status).toBe(200);
  });

  it("creates nothing for another run, nor for its own after the lease", async () => {
    const host = newHost();
    const run = await host.lease(one);
    const child = (operation: string, token: string) =>
      call("POST", "/api/v1/tasks/hello/trigger", token, {}, { "x-acme-operation": operation });
    const stranger = await host.lease(one);
    const forged = await child(`${stranger.runId}.1.0`, run.apiToken as string);
    expect([forged.status, forged.body.code]).toEqual([403, "not_your_run"]);
    // Another isolate, which has not seen the end of the lease, asks the run's owner.
    const next = issueRunToken(env, host.hostId, { runId: run.runId, token: run.token + 1 });
    const later = await child(`${run.runId}.1.0`, next);
    expect([later.status, later.body.code]).toEqual([409, "stale_operation"]);
    expect((await child(`${run.runId}.1.0`, run.apiToken as string)).status).toBe(200);
    await host.report({ completed: [endOf(run), endOf(stranger)] });
  });
});

describe("a host that is revoked", () => {
  it("is refused, and its runs execute elsewhere at once", async () => {
    const host = newHost();
    const run = await host.lease(one);
    expect(await listed(host.hostId)).toMatchObject({ state: "connected", lastSeenAt: expect.any(String) });
    const revoked = await call("DELETE", `/admin/v1/hosts/${host.hostId}`, ADMIN_TOKEN);
    expect([revoked.status, revoked.body.state]).toEqual([200, "revoked"]);
    // Within the cache's ten seconds: its session has ended, and its reports change nothing.
    expect((await host.report({ completed: [endOf(run)] })).body.completed).toEqual(["stale"]);
    const answer = await callAsHost("dequeue", {
      ...host.session,
      sessionId: "a-new-one",
      max: 1,
      waitMs: 0,
    });
    expect(answer.body).toMatchObject({ runs: [], ended: true });
    const next = newHost();
    const again = await until(async () => (await next.poll()).find(({ runId }) => runId === run.runId), {
      timeout: 20_000,
    });
    expect(again.token).toBeGreaterThan(run.token);
    await next.report({ completed: [endOf(again)] });
    expect((await register(host.hostId)).body.code).toBe("host_revoked");
    expect(await listed(host.hostId)).toMatchObject({ state: "revoked", revokedAt: expect.any(String) });
  });

  it("stays revoked, and other hosts continue to work", async () => {
    const [gone, stays] = [newHost(), newHost()];
    await gone.poll(0, 0);
    const first = await call("DELETE", `/admin/v1/hosts/${gone.hostId}`, ADMIN_TOKEN);
    const second = await call("DELETE", `/admin/v1/hosts/${gone.hostId}`, ADMIN_TOKEN);
    expect(second.body.revokedAt).toBe(first.body.revokedAt);
    expect((await stays.report({})).status).toBe(200);
    expect((await call("DELETE", "/admin/v1/hosts/nobody", ADMIN_TOKEN)).status).toBe(404);
  });
});

describe("a bundle", () => {
  it("is its organization's: another one can't deploy it by its hash", async () => {
    const bundle = `export const secret = "${one.ref}";`;
    const contentHash = hashOf(bundle);
    const put = await call(
      "PUT",
      `/api/v1/projects/${one.ref}/prod/bundles/${contentHash}`,
      one.accessToken,
      bundle,
    );
    expect(put.status).toBe(200);
    const deployment = {
      contentHash,
      manifest: { tasks: [{ id: "hello", filePath: "hello.ts" }] },
      promote: false,
    };
    const deployAs = (project: Project) =>
      call("POST", `/api/v1/projects/${project.ref}/prod/deployments`, project.accessToken, deployment);
    const stolen = await deployAs(other);
    expect([stolen.status, stolen.body.code]).toEqual([422, "bundle_not_found"]);
    expect((await deployAs(one)).status).toBe(201);
  });
});

describe("the hosts of an environment", () => {
  interface OfEnvironment {
    data: { hostId: string; state: string; slots?: number; version?: string; savesProcesses?: boolean }[];
  }
  const hostsOf = async (project: Project, environment = "prod") =>
    (
      await call<OfEnvironment>(
        "GET",
        `/api/v1/projects/${project.ref}/${environment}/hosts`,
        project.accessToken,
      )
    ).body.data;

  it("are shown to its organization with their own data, but not with their work for others", async () => {
    const host = newHost();
    const about = { version: "1.2.3", executor: "docker", slots: 40, running: 7, checkpoints: 3 };
    await callAsHost("dequeue", { ...host.session, max: 0, waitMs: 0, about });
    await register(host.hostId, host.credential);
    const found = (await hostsOf(one)).find(({ hostId }) => hostId === host.hostId);
    expect(found).toEqual({
      hostId: host.hostId,
      name: `${host.hostId}.example`,
      state: "connected",
      lastSeenAt: expect.any(String),
      version: "1.2.3",
      executor: "docker",
      slots: 40,
      savesProcesses: true,
    });
    expect(await listed(host.hostId)).toMatchObject({ about });
  });

  it("leave out revoked ones, and other people's machines", async () => {
    const host = newHost();
    await host.poll(0, 0);
    expect((await hostsOf(one)).map(({ hostId }) => hostId)).toContain(host.hostId);
    expect(await hostsOf(one, "dev")).toEqual([]);
    await call("DELETE", `/admin/v1/hosts/${host.hostId}`, ADMIN_TOKEN);
    expect((await hostsOf(one)).map(({ hostId }) => hostId)).not.toContain(host.hostId);
  });
});
