import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { randomBase36 } from "@acme/sdk/contract";
import type {
  BulkActionResource,
  CreatedAccessToken,
  CreatedApiKey,
  InvitationObject,
  MeResponse,
  StartDeviceLoginResponse,
} from "@acme/sdk/contract/api";
import { eq } from "drizzle-orm";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { ownerOf } from "../src/objects.ts";
import { openSql } from "../src/storage/sql-connection.ts";
import { signInAt, someone } from "./at-provider.ts";
import { ADMIN_TOKEN, type Answer, call, deploy, newProject, type Project } from "./client.ts";
import { interruptedAfterEachWrite } from "./interruption.ts";
import { anAddress, anEmail, cookieOf, ORIGIN, open, type SignedIn, signIn } from "./person.ts";

const WAIT = { timeout: 20_000, interval: 50 };
const TIMEOUT = 120_000;

let project: Project;
let organization: string;
let owner: SignedIn;
beforeAll(async () => {
  project = await newProject();
  organization = project.ref.slice(5);
  owner = await signIn(anEmail(), { organization, role: "owner" });
});

const path = (rest: string) => `/api/v1/organizations/${organization}/${rest}`;
const listed = async <T>(at: string, person = owner): Promise<T[]> => {
  const { status, body } = await person.call<{ data: T[] }>("GET", at);
  expect(status).toBe(200);
  return body.data;
};
/** Entries of the audit log about one thing. */
const entriesOf = async (target: string) =>
  (await listed<{ action: string; target: { id: string } }>(path("audit?page[size]=100")))
    .filter((entry) => entry.target.id === target)
    .map(({ action }) => action);

const ok = <T>(answer: Answer<T> | null, status: number): answer is Answer<T> => answer?.status === status;

/** The rows of a person of this address. */
async function rowsOf(email: string) {
  const { db, tables } = openSql(env);
  const users = await db.select().from(tables.users).where(eq(tables.users.email, email));
  const accounts = await db
    .select()
    .from(tables.accounts)
    .where(eq(tables.accounts.userId, users[0]?.id ?? ""));
  return { users: users.length, accounts: accounts.length };
}

const me = async (response: Response): Promise<MeResponse> => {
  const headers = { cookie: cookieOf(response), origin: ORIGIN };
  const { status, body } = await call<MeResponse>("GET", "/api/v1/me", null, undefined, headers);
  expect(status).toBe(200);
  return body;
};

async function invited(): Promise<string> {
  const email = anEmail();
  expect((await owner.call("POST", path("invitations"), { email, role: "viewer" })).status).toBe(201);
  return email;
}

describe("a server that dies after any write", () => {
  it("of a sign-up by the operator's link leaves a state in which it can be repeated", {
    timeout: TIMEOUT,
  }, async () => {
    const linkFor = (email: string) =>
      call<{ url: string }>("POST", "/admin/v1/sign-in-links", ADMIN_TOKEN, { email, organization });
    const writes = await interruptedAfterEachWrite(
      async () => anEmail(),
      async (email) => {
        const { status, body } = await linkFor(email);
        if (status !== 200) throw new Error("No link");
        return open(body.url);
      },
      async (email) => {
        const member = (await listed<{ email: string }>(path("members"))).some(
          (each) => each.email === email,
        );
        // The person and the membership are one transaction.
        expect((await rowsOf(email)).users).toBe(member ? 1 : 0);
        const again = await me(await open((await linkFor(email)).body.url));
        expect(again).toMatchObject({ user: { email }, organizations: [{ slug: organization }] });
        expect((await rowsOf(email)).users).toBe(1);
      },
    );
    expect(writes).toBeGreaterThan(3);
  });

  it("of a sign-up at an issuer leaves one person", { timeout: TIMEOUT }, async () => {
    const writes = await interruptedAfterEachWrite(
      async () => {
        const email = await invited();
        return { email, there: someone(email) };
      },
      ({ there }) => signInAt("oidc", there),
      async ({ email, there }) => {
        expect((await rowsOf(email)).users).toBeLessThanOrEqual(1);
        const ids = [await me(await signInAt("oidc", there)), await me(await signInAt("oidc", there))];
        expect(new Set(ids.map(({ user }) => user.id)).size).toBe(1);
        expect(await rowsOf(email)).toEqual({ users: 1, accounts: 1 });
      },
    );
    expect(writes).toBeGreaterThan(3);
  });

  it("of an invitation leaves it open or missing", { timeout: TIMEOUT }, async () => {
    const send = (email: string) =>
      owner.call<InvitationObject & { url: string }>("POST", path("invitations"), { email, role: "viewer" });
    const openOnes = async (email: string) =>
      (await listed<InvitationObject>(path("invitations"))).filter((each) => each.email === email);
    await interruptedAfterEachWrite(
      async () => anEmail(),
      send,
      async (email, done) => {
        const there = await openOnes(email);
        expect(there).toHaveLength(ok(done, 201) ? 1 : there.length);
        for (const { id } of there) expect(await entriesOf(id)).toEqual(["invitation.created"]);
        const again = await send(email);
        expect(again.status).toBe(201);
        expect((await openOnes(email)).map(({ id }) => id)).toEqual([again.body.id]);
      },
    );
  });

  it("of an acceptance leaves the invitation open or the person a member", { timeout: TIMEOUT }, async () => {
    await interruptedAfterEachWrite(
      async () => {
        const email = anEmail();
        const made = await owner.call<{ url: string }>("POST", path("invitations"), {
          email,
          role: "viewer",
        });
        return { person: await signIn(email), token: made.body.url.split("/").at(-1) };
      },
      ({ person, token }) => person.call("POST", "/api/v1/invitations/accept", { token }),
      async ({ person, token }) => {
        const isOpen = (await listed<{ email: string }>(path("invitations"))).some(
          ({ email }) => email === person.email,
        );
        const isMember = async () =>
          (await listed<{ email: string }>(path("members"))).some(({ email }) => email === person.email);
        expect(await isMember()).toBe(!isOpen);
        const { status } = await person.call("POST", "/api/v1/invitations/accept", { token });
        expect(status).toBe(isOpen ? 200 : 404);
        expect(await isMember()).toBe(true);
        expect(await entriesOf(person.userId)).toEqual(["invitation.accepted"]);
      },
    );
  });

  it("of a rotation of a key leaves the former key alone or both", { timeout: TIMEOUT }, async () => {
    const keys = `/api/v1/projects/${project.ref}/prod/keys`;
    const works = async (key: string) => (await call("GET", "/api/v1/queues", key)).status === 200;
    const create = async () =>
      (await owner.call<CreatedApiKey>("POST", keys, { name: randomBase36(8) })).body;
    const rotate = ({ id }: CreatedApiKey) =>
      owner.call<CreatedApiKey>("POST", `${keys}/${id}/rotate`, { overlapSeconds: 3_600 });
    await interruptedAfterEachWrite(create, rotate, async (former, done) => {
      const named = async () =>
        (await listed<CreatedApiKey>(keys)).filter(({ name }) => name === former.name);
      const there = await named();
      const end = there.find(({ id }) => id === former.id)?.revokedAt;
      expect(there).toHaveLength(end === undefined ? 1 : 2);
      for (const { id } of there.filter((each) => each.id !== former.id))
        expect(await entriesOf(id)).toEqual(["key.rotated"]);
      expect(await works(former.key)).toBe(true);
      if (ok(done, 201)) expect(await works(done.body.key)).toBe(true);
      const again = await rotate(former);
      expect(again.status).toBe(201);
      expect(await works(again.body.key)).toBe(true);
      for (const { id } of await named()) await owner.call("DELETE", `${keys}/${id}`);
    });
  });

  it("of a rotation of the variables' key leaves all of them readable", { timeout: TIMEOUT }, async () => {
    const at = `/api/v1/projects/${project.ref}/envvars/prod`;
    const variables = Object.fromEntries(Array.from({ length: 6 }, (_, n) => [`V${n}`, `value ${n}`]));
    expect((await call("POST", `${at}/import`, project.prod, { variables })).status).toBe(200);
    const rotate = () => owner.call<{ variables: number }>("POST", path("encryption/rotate"));
    const writes = await interruptedAfterEachWrite(
      async () => null,
      rotate,
      async () => {
        const { body } = await call<{ name: string; value: string }[]>("GET", at, project.prod);
        expect(Object.fromEntries(body.map(({ name, value }) => [name, value]))).toEqual(variables);
        expect(await rotate()).toMatchObject({ status: 200, body: { variables: 6 } });
      },
    );
    expect(writes).toBeGreaterThan(6);
  });

  it("of a bulk action leaves none, or one that is listed and done", { timeout: TIMEOUT }, async () => {
    const at = "/api/v1/bulk-actions";
    const actions = async ({ prod }: Project) =>
      (await call<{ data: BulkActionResource[] }>("GET", at, prod)).body.data;
    await interruptedAfterEachWrite(
      async () => {
        const own = await newProject();
        await deploy(own, ["hello"]);
        const body = { options: { delay: "1h" } };
        const runs = await Promise.all(
          [1, 2, 3].map(() => call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", own.prod, body)),
        );
        return { own, runIds: runs.map((run) => run.body.id) };
      },
      ({ own, runIds }) => call<{ id: string }>("POST", at, own.prod, { action: "cancel", runIds }),
      async ({ own, runIds }, done) => {
        const send = async () => {
          const sent = await call("POST", at, own.prod, { action: "cancel", runIds });
          expect(sent.status).toBe(202);
        };
        // Without an answer, the caller checks the list, and repeats the request if the action is missing.
        if (!ok(done, 202) && (await actions(own)).length === 0) await send();
        await until(async () => {
          const there = await actions(own);
          return there.length > 0 && there.every(({ status }) => status === "COMPLETED");
        }, WAIT);
        for (const { counts, failures } of await actions(own))
          expect({ counts, failures }).toEqual({
            counts: { total: 3, success: 3, failure: 0 },
            failures: [],
          });
        for (const id of runIds) {
          const run = await ownerOf(env, own.prodKey, id).retrieveRun(own.prodKey, id);
          expect(run?.status).toBe("CANCELED");
        }
      },
    );
  });

  it("of the deletion of a project leaves it whole or gone", { timeout: TIMEOUT }, async () => {
    await interruptedAfterEachWrite(
      async () => {
        const own = await newProject();
        const person = await signIn(anEmail(), { organization: own.ref.slice(5), role: "owner" });
        await call("POST", `/api/v1/projects/${own.ref}/envvars/prod`, own.prod, { name: "A", value: "b" });
        const { db, tables } = openSql(env);
        const [row] = await db.select().from(tables.projects).where(eq(tables.projects.ref, own.ref));
        return { own, person, id: row?.id ?? "" };
      },
      ({ own, person }) => person.call("DELETE", `/api/v1/projects/${own.ref}`),
      async ({ own, person, id }) => {
        const { db, tables } = openSql(env);
        const state = async () => {
          const of = eq(tables.variables.environmentKey, own.prodKey);
          return {
            isThere: (await person.call("GET", `/api/v1/projects/${own.ref}/prod`)).status === 200,
            keyWorks: (await call("GET", "/api/v1/queues", own.prod)).status === 200,
            variables: (await db.select().from(tables.variables).where(of)).length,
          };
        };
        const before = await state();
        const whole = { isThere: true, keyWorks: true, variables: 1 };
        const gone = { isThere: false, keyWorks: false, variables: 0 };
        expect(before).toEqual(before.isThere ? whole : gone);
        const { status } = await person.call("DELETE", `/api/v1/projects/${own.ref}`);
        expect(status).toBe(before.isThere ? 200 : 404);
        expect(await state()).toEqual(gone);
        // It continues by itself, and is logged once.
        await runDurableObjectAlarm(env.DELETION.getByName(id));
        const entries = await listed<{ action: string }>(
          `/api/v1/organizations/${own.ref.slice(5)}/audit?page[size]=100`,
          person,
        );
        expect(entries.filter(({ action }) => action === "project.deleted")).toHaveLength(1);
      },
    );
  });

  it("of its own start continues when it is started again", { timeout: TIMEOUT }, async () => {
    const aStart = async () => {
      const unique = randomBase36(12);
      return {
        organization: { slug: unique, name: unique },
        project: { ref: `proj_${unique}`, name: unique },
        secretKeys: { prod: `tr_prod_${randomBase36(24)}`, staging: `tr_stg_${randomBase36(24)}` },
        accessToken: `tr_pat_${randomBase36(24)}`,
      };
    };
    const send = (body: object) => call("POST", "/admin/v1/bootstrap", ADMIN_TOKEN, body);
    const writes = await interruptedAfterEachWrite(aStart, send, async (start) => {
      expect((await send(start)).status).toBe(200);
      for (const key of Object.values(start.secretKeys))
        expect((await call("GET", "/api/v1/queues", key)).status).toBe(200);
      expect((await call("GET", "/api/v1/access-token", start.accessToken)).status).toBe(200);
      const { body } = await call<{ data: { action: string }[] }>(
        "GET",
        `/admin/v1/audit?organization=${start.organization.slug}`,
        ADMIN_TOKEN,
      );
      expect(body.data.map(({ action }) => action).toReversed()).toEqual([
        "organization.created",
        "project.created",
        "environment.created",
        "key.created",
        "key.created",
        "access_token.created",
      ]);
    });
    expect(writes).toBeGreaterThan(6);
  });

  it("of a device login gives one token at most", { timeout: TIMEOUT }, async () => {
    const poll = (deviceCode: string) =>
      call<CreatedAccessToken & { code: string }>("POST", "/api/v1/device/token", null, { deviceCode });
    await interruptedAfterEachWrite(
      async () => {
        const clientName = randomBase36(8);
        const headers = { "x-test-address": anAddress() };
        const at = "/api/v1/device/code";
        const { body } = await call<StartDeviceLoginResponse>("POST", at, null, { clientName }, headers);
        return { clientName, ...body };
      },
      async ({ userCode, deviceCode }) => {
        const allowed = await owner.call("POST", "/api/v1/device/approve", { userCode, organization });
        return { allowed, polled: await poll(deviceCode) };
      },
      async ({ clientName, userCode, deviceCode }, done) => {
        const made = async () =>
          (await listed<{ name: string }>("/api/v1/me/access-tokens")).filter(
            ({ name }) => name === clientName,
          ).length;
        const before = await made();
        let { body } = await poll(deviceCode);
        if (body.code === "authorization_pending" || body.code === "slow_down") {
          const { status } = await owner.call("POST", "/api/v1/device/approve", { userCode, organization });
          expect(status).toBe(200);
          ({ body } = await poll(deviceCode));
        }
        const token = done?.polled.body.token ?? body.token;
        // If the token was created but its response was lost, nobody has it, and the person begins again.
        if (token === undefined) expect([before, body.code]).toEqual([1, "invalid_grant"]);
        else expect((await call("GET", "/api/v1/access-token", token)).status).toBe(200);
        expect(await made()).toBe(1);
      },
    );
  });
});
