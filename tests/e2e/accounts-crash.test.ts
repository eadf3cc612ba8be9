import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSignInProviders } from "../../workers/test/outside/sign-in-providers.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { task } from "@trigger.dev/sdk";
export const quick = task({ id: "quick", run: async () => "done" });
`;

interface Answer<T> {
  status: number;
  body: T;
}

/**
 * The Worker is repeatedly killed with SIGKILL in the middle of operations on accounts; the server starts it
 * again.
 */
describe("accounts, when the Worker is killed", () => {
  let server: LocalServer;
  let adminToken: string;
  let owner: string;
  let providers: Awaited<ReturnType<typeof startSignInProviders>>;

  beforeAll(async () => {
    providers = await startSignInProviders();
    const settings = {
      NETWORKS: "public,private",
      OIDC_ISSUER: `${providers.origin}/oidc`,
      OIDC_CLIENT_ID: "oidc-client",
      OIDC_CLIENT_SECRET: "oidc-secret",
    };
    server = await startLocalServer({ example: false, settings });
    await deployTaskFile(server, TASKS);
    const secrets = JSON.parse(readFileSync(join(server.dataDir, "secrets.json"), "utf8"));
    adminToken = (secrets as { adminToken: string }).adminToken;
    owner = await signIn("owner@acme.localhost");
  });
  afterAll(async () => {
    await server?.stop();
    await providers?.stop();
  });

  /** Repeats a request until it is answered, as a person would; null if the Worker was unreachable. */
  async function send<T>(
    method: string,
    path: string,
    credential: { cookie?: string; token?: string },
    body?: unknown,
  ): Promise<Answer<T> | null> {
    try {
      const response = await fetch(`${server.apiUrl}${path}`, {
        method,
        redirect: "manual",
        headers: {
          "content-type": "application/json",
          origin: server.apiUrl,
          ...(credential.cookie ? { cookie: credential.cookie } : {}),
          ...(credential.token ? { authorization: `Bearer ${credential.token}` } : {}),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      return { status: response.status, body: JSON.parse(await response.text()) as T };
    } catch {
      return null;
    }
  }

  async function insist<T>(...request: Parameters<typeof send>): Promise<Answer<T>> {
    return eventually(`${request[0]} ${request[1]} is answered`, async () => {
      const answer = await send<T>(...request);
      return answer && answer.status < 500 ? answer : false;
    });
  }

  async function signIn(email: string): Promise<string> {
    return eventually(`${email} is signed in`, async () => {
      const link = await send<{ url: string }>(
        "POST",
        "/admin/v1/sign-in-links",
        { token: adminToken },
        { email },
      );
      if (link?.status !== 200) return false;
      const response = await fetch(link.body.url, { redirect: "manual" }).catch(() => null);
      return response?.headers.getSetCookie()[0]?.split(";")[0] ?? false;
    });
  }

  /** Kills the Worker some milliseconds after `work` began; resolves when `work` has ended in either way. */
  async function killedAfter<T>(ms: number, work: Promise<T>): Promise<T> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    server.kill("worker", "SIGKILL");
    return work;
  }

  const DELAYS = [0, 8, 30];

  it("an invitation is either open or accepted, never half accepted", async () => {
    for (const ms of DELAYS) {
      const email = `invited-${ms}@acme.localhost`;
      const invitation = [
        "POST",
        "/api/v1/organizations/default/invitations",
        { cookie: owner },
        { email, role: "viewer" },
      ] as const;
      // An invitation that was interrupted and is made again replaces the existing one.
      await killedAfter(ms, send(...invitation));
      const made = await insist<{ url: string }>(...invitation);
      expect(made.status).toBe(201);
      const invited = await insist<{ data: { email: string }[] }>(
        "GET",
        "/api/v1/organizations/default/invitations",
        { cookie: owner },
      );
      expect(invited.body.data.filter((each) => each.email === email)).toHaveLength(1);
      const cookie = await signIn(email);
      const token = made.body.url.split("/").at(-1);
      const accept = () => send("POST", "/api/v1/invitations/accept", { cookie }, { token });
      await killedAfter(ms, accept());
      const open = await insist<{ data: { email: string }[] }>(
        "GET",
        "/api/v1/organizations/default/invitations",
        { cookie: owner },
      );
      const members = await insist<{ data: { email: string }[] }>(
        "GET",
        "/api/v1/organizations/default/members",
        { cookie: owner },
      );
      const isOpen = open.body.data.some((each) => each.email === email);
      const isMember = members.body.data.some((each) => each.email === email);
      expect(isOpen).toBe(!isMember);
      if (isOpen) expect((await accept())?.status).toBe(200);
    }
  });

  it("a sign-up can be repeated with the same address", async () => {
    for (const ms of DELAYS) {
      const email = `new-${ms}@acme.localhost`;
      await killedAfter(ms, send("POST", "/admin/v1/sign-in-links", { token: adminToken }, { email }));
      const cookie = await signIn(email);
      const me = await insist<{ user: { email: string } }>("GET", "/api/v1/me", { cookie });
      expect(me.body.user.email).toBe(email);
    }
  });

  /** Tests both at once, because each kill costs the time of a restart. */
  it("a rotation of a key is complete or can be repeated, and a device login creates one token", async () => {
    for (const ms of DELAYS) {
      const key = await keyToRotate(`rotated-${ms}`);
      const login = await allowedLogin(`device-${ms}`);
      const [rotated, polled] = await killedAfter(ms, Promise.all([key.rotate(), login.poll()]));
      await key.check(rotated);
      await login.check(polled);
    }
  });

  interface Key {
    id: string;
    key: string;
    name: string;
    revokedAt?: string;
  }

  async function keyToRotate(name: string) {
    const token = { token: server.accessToken };
    const path = `/api/v1/projects/${server.projectRef}/prod/keys`;
    const { body: former } = await insist<Key>("POST", path, token, { name });
    const request = ["POST", `${path}/${former.id}/rotate`, token, { overlapSeconds: 3_600 }] as const;
    const keys = async () =>
      (await insist<{ data: Key[] }>("GET", path, token)).body.data.filter((key) => key.name === name);
    const endOf = (listed: Key[]) => listed.find(({ id }) => id === former.id)?.revokedAt;
    const works = async (key: string) =>
      (await insist("GET", "/api/v1/runs?page[size]=1", { token: key })).status === 200;
    return {
      rotate: () => send<Key>(...request),
      async check(cut: Answer<Key> | null) {
        const after = await keys();
        const end = endOf(after);
        // Both writes or none: there is a new key if and only if the old one has an expiry. It is accepted
        // either way.
        expect(after).toHaveLength(end === undefined ? 1 : 2);
        expect(await works(former.key)).toBe(true);
        if (cut?.status === 201) {
          expect(end).toBeDefined();
          expect(await works(cut.body.key)).toBe(true);
          return;
        }
        const again = await insist<Key>(...request);
        expect(again.status).toBe(201);
        expect(await works(again.body.key)).toBe(true);
        const ended = endOf(await keys());
        expect(ended).toBeDefined();
        // The decision of the first attempt is kept.
        if (end !== undefined) expect(ended).toBe(end);
      },
    };
  }

  async function allowedLogin(clientName: string) {
    interface Polled {
      token?: string;
      code?: string;
    }
    const begun = await insist<{ deviceCode: string; userCode: string }>(
      "POST",
      "/api/v1/device/code",
      {},
      { clientName },
    );
    const { deviceCode, userCode } = begun.body;
    const approval = { userCode, organization: "default" };
    expect((await insist("POST", "/api/v1/device/approve", { cookie: owner }, approval)).status).toBe(200);
    const request = ["POST", "/api/v1/device/token", {}, { deviceCode }] as const;
    return {
      poll: () => send<Polled>(...request),
      async check(cut: Answer<Polled> | null) {
        const next = await insist<Polled>(...request);
        const { body } = await insist<{ data: { name: string }[] }>("GET", "/api/v1/me/access-tokens", {
          cookie: owner,
        });
        expect(body.data.filter(({ name }) => name === clientName)).toHaveLength(1);
        const token = cut?.body.token ?? next.body.token;
        // If the answer that had the token was lost, nobody has it, and the person begins again.
        if (token === undefined) expect(next.body.code).toBe("invalid_grant");
        else expect((await insist("GET", "/api/v1/access-token", { token })).status).toBe(200);
      },
    };
  }

  const invite = (email: string) =>
    insist("POST", "/api/v1/organizations/default/invitations", { cookie: owner }, { email, role: "viewer" });

  const sessionOf = (response: Response | null): string | false =>
    response?.headers
      .getSetCookie()
      .find((each) => each.includes("session_token="))
      ?.split(";")[0] ?? false;

  /** The browser's way back from the issuer, where somebody has signed in with this address. */
  async function backFromIssuer(email: string): Promise<() => Promise<Response | null>> {
    return eventually(`${email} comes back from the issuer`, async () => {
      const begun = await fetch(`${server.apiUrl}/api/auth/sign-in/social`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: server.apiUrl },
        body: JSON.stringify({ provider: "oidc", callbackURL: "/" }),
      }).catch(() => null);
      if (begun?.status !== 200) return false;
      const { url } = (await begun.json()) as { url: string };
      const there = await fetch(`${url}&email=${encodeURIComponent(email)}`, { redirect: "manual" });
      const cookie = begun.headers.getSetCookie().map((each) => each.split(";")[0]);
      const back = there.headers.get("location") ?? "";
      return () =>
        fetch(back, { redirect: "manual", headers: { cookie: cookie.join("; ") } }).catch(() => null);
    });
  }

  it("a sign-up at an issuer creates one person, whenever it is interrupted", async () => {
    for (const ms of DELAYS) {
      const email = `issuer-${ms}@acme.localhost`;
      await invite(email);
      const finish = await backFromIssuer(email);
      await killedAfter(ms, finish());
      const again = async (): Promise<string> =>
        eventually(`${email} is signed in`, async () => sessionOf(await (await backFromIssuer(email))()));
      const ids: string[] = [];
      for (const cookie of [await again(), await again(), await signIn(email)]) {
        const me = await insist<{ user: { id: string; email: string } }>("GET", "/api/v1/me", { cookie });
        expect(me.body.user.email).toBe(email);
        ids.push(me.body.user.id);
      }
      expect(new Set(ids).size).toBe(1);
    }
  });

  it("a sign-up by a mailed link creates one person, whenever it is interrupted", async () => {
    for (const ms of DELAYS) {
      const email = `mailed-${ms}@acme.localhost`;
      await invite(email);
      /** The newest link that the server printed for this person. */
      const linkFor = async (): Promise<string> => {
        const printed = () =>
          [
            ...server
              .output()
              .matchAll(/Mail to (\S+) \([^)]*\): Sign in to Acme\n[\s\S]*?(https?:\/\/\S+magic-link\S+)/g),
          ]
            .filter(([, to]) => to === email)
            .map(([, , url]) => url as string);
        const before = printed().length;
        const body = { email, callbackURL: "/" };
        await eventually("a link is asked for", async () => {
          const answer = await send("POST", "/api/auth/sign-in/magic-link", {}, body);
          return answer?.status === 200;
        });
        return eventually("the link is printed", () => printed()[before]);
      };
      const open = (url: string) => fetch(url, { redirect: "manual" }).catch(() => null);
      await killedAfter(ms, open(await linkFor()));
      const cookie = await eventually(`${email} is signed in`, async () =>
        sessionOf(await open(await linkFor())),
      );
      const me = await insist<{ user: { id: string; email: string } }>("GET", "/api/v1/me", { cookie });
      expect(me.body.user.email).toBe(email);
    }
  });

  it("variables can be read during and after an interrupted rotation", async () => {
    const path = `/api/v1/projects/${server.projectRef}/envvars/prod`;
    const variables = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`V${n}`, `value ${n}`]));
    const imported = await insist("POST", `${path}/import`, { token: server.secretKey }, { variables });
    expect(imported.status).toBe(200);
    const rotate = () => send("POST", "/api/v1/organizations/default/encryption/rotate", { cookie: owner });
    for (const ms of DELAYS) {
      await killedAfter(ms, rotate());
      const { body } = await insist<{ name: string; value: string }[]>("GET", path, {
        token: server.secretKey,
      });
      expect(Object.fromEntries(body.map(({ name, value }) => [name, value]))).toEqual(variables);
    }
    const last = await insist<{ number: number }>("POST", "/api/v1/organizations/default/encryption/rotate", {
      cookie: owner,
    });
    expect(last.status).toBe(200);
  });

  it("a bulk action continues, and processes each run once", async () => {
    const key = { token: server.secretKey };
    for (let n = 0; n < 60; n++) {
      const body = { payload: "{}", options: { delay: "1h", tags: ["bulk"] } };
      expect((await insist("POST", "/api/v1/tasks/quick/trigger", key, body)).status).toBe(200);
    }
    await eventually("all are listed", async () => {
      const list = await send<{ data: unknown[] }>(
        "GET",
        "/api/v1/runs?filter[tag]=bulk&page[size]=100",
        key,
      );
      return list?.body.data.length === 60;
    });
    const created = await insist<{ id: string }>("POST", "/api/v1/bulk-actions", key, {
      action: "replay",
      filter: { tag: "bulk" },
    });
    expect(created.status).toBe(202);
    interface Progress {
      status: string;
      counts: { total: number; success: number; failure: number };
    }
    const path = `/api/v1/bulk-actions/${created.body.id}`;
    for (const ms of [5, 40, 120]) {
      await killedAfter(ms, Promise.resolve());
      // It has been started again.
      await insist("GET", path, key);
    }
    const action = await eventually("it is over", async () => {
      const answer = await send<Progress>("GET", path, key);
      return answer?.status === 200 && answer.body.status === "COMPLETED" ? answer.body : false;
    });
    expect(action.counts).toEqual({ total: 60, success: 60, failure: 0 });
    const listed = async (): Promise<Set<string>> => {
      const ids = new Set<string>();
      for (let after = ""; ; ) {
        const { body } = await insist<{ data: { id: string }[]; pagination: { next?: string } }>(
          "GET",
          `/api/v1/runs?filter[tag]=bulk&page[size]=100${after}`,
          key,
        );
        for (const { id } of body.data) ids.add(id);
        if (!body.pagination.next) return ids;
        after = `&page[after]=${body.pagination.next}`;
      }
    };
    // By filter at once after the triggers, which no list has then. The Worker dies before or while the queues are asked.
    for (const ms of [2, 30]) {
      const tags = [`at-once-${ms}`];
      const trigger = () =>
        insist("POST", "/api/v1/tasks/quick/trigger", key, { options: { delay: "1h", tags } });
      await Promise.all([trigger(), trigger(), trigger()]);
      const request = { action: "cancel", filter: { tag: tags } };
      const sent = await insist<{ id: string }>("POST", "/api/v1/bulk-actions", key, request);
      await killedAfter(ms, Promise.resolve());
      const canceled = await eventually("the runs are canceled", async () => {
        const answer = await send<Progress>("GET", `/api/v1/bulk-actions/${sent.body.id}`, key);
        return answer?.status === 200 && answer.body.status === "COMPLETED" ? answer.body : false;
      });
      expect(canceled.counts).toEqual({ total: 3, success: 3, failure: 0 });
    }
    // Lists follow the objects. A run with two copies would make it more.
    await eventually("each run has one copy", async () => (await listed()).size >= 120);
    expect((await listed()).size).toBe(120);
  });

  const ORGANIZATION = "/api/v1/organizations/default";

  interface Entry {
    action: string;
    outcome: string;
    target: { id: string };
    scope: string | null;
  }
  async function audit(action: string): Promise<Entry[]> {
    const path = `${ORGANIZATION}/audit?action=${action}&page[size]=100`;
    return (await insist<{ data: Entry[] }>("GET", path, { cookie: owner })).body.data;
  }

  interface BulkActions {
    data: { id: string; name?: string; status: string }[];
  }

  /** One kill interrupts three requests, because each restart takes a while. */
  it("interrupted changes of bulk actions, queues and projects are undone, or complete and in the audit log", async () => {
    const key = { token: server.secretKey };
    const pausePath = "/api/v1/queues/quick/pause";
    const bulkPath = "/api/v1/bulk-actions";
    for (const ms of DELAYS) {
      const projects = `${ORGANIZATION}/projects`;
      const made = await insist<{ ref: string }>("POST", projects, { cookie: owner }, { name: `Cut ${ms}` });
      const path = `/api/v1/projects/${made.body.ref}`;
      const keys = await insist<{ key: string }>("POST", `${path}/prod/keys`, { cookie: owner }, {});
      const token = { token: keys.body.key };
      const options = { delay: "1h" };
      expect((await insist("POST", "/api/v1/tasks/quick/trigger", token, { options })).status).toBe(200);
      const pausesBefore = (await audit("queue.paused")).length;
      const name = `cut off after ${ms}`;
      const [, pause] = await killedAfter(
        ms,
        Promise.all([
          send("POST", bulkPath, key, { action: "cancel", runIds: ["run_x"], name }),
          send("POST", pausePath, key, { type: "task", action: "pause" }),
          send("DELETE", path, { cookie: owner }),
        ]),
      );

      const queue = await insist<{ paused: boolean }>("GET", "/api/v1/queues/quick?type=task", key);
      const pauses = await audit("queue.paused");
      if (queue.body.paused) expect(pauses).toHaveLength(pausesBefore + 1);
      if (pause?.status === 200) expect(pauses[0]?.outcome).toBe("succeeded");
      await insist("POST", pausePath, key, { type: "task", action: "resume" });

      await eventually("no bulk action is left half done", async () => {
        const list = await send<BulkActions>("GET", bulkPath, key);
        return list?.body.data?.every(({ status }) => status === "COMPLETED");
      });
      const listed = await insist<BulkActions>("GET", bulkPath, key);
      const cut = listed.body.data.filter((each) => each.name === name).map(({ id }) => id);
      const canceled = (await audit("bulk_action.cancel")).map(({ target }) => target.id);
      expect(canceled.filter((id) => cut.includes(id))).toEqual(cut);

      const there = await insist("GET", `${path}/deletion`, { cookie: owner });
      expect([200, 404]).toContain(there.status);
      if (there.status === 404) expect((await insist("GET", "/api/v1/runs", token)).status).toBe(401);
      // It may be deleted between the two, because its object continues by itself.
      if (there.status === 200) await insist("DELETE", path, { cookie: owner });
      await eventually("the project is gone", async () => {
        const [project, runs] = await Promise.all([
          send("GET", `${path}/deletion`, { cookie: owner }),
          send("GET", "/api/v1/runs", token),
        ]);
        return project?.status === 404 && runs?.status === 401;
      });
      const deleted = await audit("project.deleted");
      expect(deleted.filter(({ scope }) => scope === made.body.ref)).toHaveLength(1);
    }
  });
});
