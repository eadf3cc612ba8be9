import type { HostBody } from "@acme/sdk/contract";
import type {
  AuditEntry,
  OperatorOrganization,
  OperatorOrganizationDetails,
  ProjectObject,
} from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { loweredTo } from "../src/operator/organization-limits.ts";
import { ADMIN_TOKEN, call, callAsHost, deploy, newProject, type Project } from "./client.ts";
import { signIn } from "./person.ts";

const admin = <T = Record<string, unknown>>(method: string, path: string, body?: unknown) =>
  call<T>(method, `/admin/v1${path}`, ADMIN_TOKEN, body);
const serverAudit = async (action: string) =>
  (await admin<{ data: AuditEntry[] }>("GET", `/audit?action=${action}`)).body.data;

let project: Project;
let slug: string;
beforeAll(async () => {
  project = await newProject();
  slug = project.ref.slice(5);
  await deploy(project, ["hello"]);
});

const trigger = (options: object = {}) =>
  call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, { options });

describe("organizations", () => {
  it("are listed with their contents and usage, in pages", async () => {
    for (let n = 0; n < 3; n++) await trigger({ delay: "1h" });
    await until(
      async () => {
        const { body } = await admin<OperatorOrganizationDetails>("GET", `/organizations/${slug}`);
        return body.runs.unfinished === 3 && body.runsOfLastDay === 3;
      },
      { timeout: 20_000, interval: 50 },
    );
    const owner = await signIn(undefined, { organization: slug });
    const { body } = await admin<OperatorOrganizationDetails>("GET", `/organizations/${slug}`);
    expect(body).toMatchObject({ slug, members: 1, projects: 1, environments: 2, weight: 1 });
    expect(
      body.environmentsInUse.map(({ projectRef, slug: name }) => `${projectRef}/${name}`).sort(),
    ).toEqual([`${project.ref}/dev`, `${project.ref}/prod`]);
    expect(owner.email).toBeTruthy();
    const seen: string[] = [];
    for (let after = ""; ; ) {
      const page = await admin<{ data: OperatorOrganization[]; pagination: { next?: string } }>(
        "GET",
        `/organizations?page[size]=1${after}`,
      );
      expect(page.body.data).toHaveLength(1);
      seen.push(page.body.data[0]?.slug ?? "");
      if (!page.body.pagination.next) break;
      after = `&page[after]=${page.body.pagination.next}`;
    }
    expect(seen).toContain(slug);
    expect(seen).toEqual([...new Set(seen)].sort());
  });

  it("are created without members, once", async () => {
    const made = await admin("POST", "/organizations", { slug: "by-the-operator", name: "By hand" });
    expect(made).toMatchObject({ status: 201, body: { slug: "by-the-operator", members: 0, projects: 0 } });
    const again = await admin("POST", "/organizations", { slug: "by-the-operator", name: "By hand" });
    expect(again).toMatchObject({ status: 409, body: { code: "slug_taken" } });
    expect((await admin("GET", "/organizations/nobody")).status).toBe(404);
  });

  it("have limits that lower their environments, and that new ones begin with", async () => {
    const mine = await newProject();
    const name = mine.ref.slice(5);
    const settings = `/projects/${mine.ref}/prod/settings`;
    expect((await admin("PUT", settings, { concurrencyLimit: 50, burstFactor: 2 })).status).toBe(200);
    const limited = await admin("PUT", `/organizations/${name}/limits`, { weight: 3, concurrencyCeiling: 5 });
    expect(limited).toMatchObject({
      status: 200,
      body: { weight: 3, concurrencyCeiling: 5, lowered: expect.arrayContaining([`${mine.ref}/prod`]) },
    });
    const owner = await signIn(undefined, { organization: name });
    const made = await owner.call<ProjectObject>("POST", `/api/v1/organizations/${name}/projects`, {
      name: "X",
    });
    expect(made.status).toBe(201);
    await owner.call("POST", `/api/v1/projects/${made.body.ref}/environments`, { type: "staging" });
    const { body } = await admin<OperatorOrganizationDetails>("GET", `/organizations/${name}`);
    expect(body.environmentsInUse).toHaveLength(5);
    for (const each of body.environmentsInUse) {
      expect(each.weight).toBe(3);
      expect(Math.floor(each.concurrencyLimit * each.burstFactor)).toBeLessThanOrEqual(5);
    }
    const { data } = (await admin<{ data: AuditEntry[] }>("GET", `/audit?organization=${name}`)).body;
    expect(data.find(({ action }) => action === "organization.limits_changed")).toMatchObject({
      actor: { type: "operator" },
      details: { to: { weight: 3, concurrencyCeiling: 5 } },
      outcome: "succeeded",
    });
  });

  it.each([
    [null, 10, 2, {}],
    [20, 10, 2, {}],
    [15, 10, 2, { concurrencyLimit: 10, burstFactor: 1.5 }],
    [5, 10, 2, { concurrencyLimit: 5, burstFactor: 1 }],
    [5, 0, 10, {}],
  ])(
    "with a ceiling of %j lower a limit of %d with a burst of %d to %j",
    (ceiling, concurrencyLimit, burstFactor, lowered) => {
      expect(loweredTo(ceiling, { concurrencyLimit, burstFactor })).toEqual(lowered);
    },
  );
});

describe("a host that drains", () => {
  it("gets no more runs until it is resumed, and the log has the actor", async () => {
    const hostId = "host-that-drains";
    const session = { protocol: 1, hostId, sessionId: "session-that-drains" };
    const poll = async (waitMs: number) =>
      (await callAsHost<{ runs: { runId: string }[] }>("dequeue", { ...session, max: 10, waitMs })).body.runs;
    await poll(0);
    // A poll that waits is answered, so that nothing is handed to it any more. All files share the hosts: a run that another
    // one left behind may be queued again and answer the poll before that. Then there is another poll.
    let waiting: ReturnType<typeof poll>;
    let isAnswered: boolean;
    do {
      isAnswered = false;
      waiting = poll(30_000).finally(() => {
        isAnswered = true;
      });
      await until(async () => {
        const { body } = await admin<{ data: HostBody[] }>("GET", "/hosts");
        return isAnswered || body.data.some((host) => host.hostId === hostId && host.polls === 1);
      });
    } while (isAnswered);
    expect(await admin("POST", `/hosts/${hostId}/drain`, {})).toMatchObject({
      status: 200,
      body: { state: "draining" },
    });
    expect(await waiting).toEqual([]);
    const { id } = (await trigger()).body;
    expect(await poll(500)).toEqual([]);
    expect((await admin("POST", `/hosts/${hostId}/drain`, { draining: false })).status).toBe(200);
    await until(async () => (await poll(1_000)).some(({ runId }) => runId === id));
    await callAsHost("report", { ...session, goodbye: true });
    expect((await admin("POST", "/hosts/nobody/drain", {})).status).toBe(404);
    const entries = (await serverAudit("host.drained")).filter(({ target }) => target.id === hostId);
    expect(entries).toMatchObject([{ actor: { type: "operator" }, outcome: "succeeded" }]);
  });
});
