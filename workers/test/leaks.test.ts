import { beforeAll, describe, expect, it, vi } from "vitest";
import type { OperationId } from "../src/auth/access.ts";
import { createToken } from "./access-token.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { anEmail, type SignedIn, signIn } from "./person.ts";
import { type Route, routes } from "./routes.ts";

/**
 * Bodies that pass the validation of their routes, so that the resource in the path is looked up. Other
 * routes get `{}`.
 */
const BODIES: Partial<Record<OperationId, object>> = {
  updateSchedule: { task: "hello", cron: "0 5 * * *" },
  rescheduleRun: { delay: "1h" },
  addRunTags: { tags: ["x"] },
  pauseQueue: { type: "id", action: "pause" },
  overrideQueueConcurrency: { type: "id", concurrencyLimit: 1 },
  overrideQueueRateLimit: { type: "id", rateLimit: { limit: 1, period: "1s" } },
  overrideQueuePartitions: { type: "id", partitions: 2 },
  resetQueueConcurrency: { type: "id" },
  resetQueueRateLimit: { type: "id" },
  resetQueuePartitions: { type: "id" },
  changeMemberRole: { role: "viewer" },
  updateVariable: { value: "x" },
  resetIdempotencyKey: { taskIdentifier: "hello" },
  batchTriggerTask: { items: [{ payload: "x" }] },
  waitForInput: { streamId: "x" },
  archiveBranch: { branch: "x" },
  createProjectEnvironment: { type: "staging" },
  updateProject: { name: "x" },
  updateOrganization: { name: "x" },
  createProject: { name: "x" },
  createInvitation: { email: "x@acme.test" },
  createVariable: { name: "X", value: "x" },
  importVariables: { variables: { X: "x" } },
  finalizeDeployment: { imageDigest: `sha256:${"0".repeat(64)}`, contentHash: "0".repeat(64) },
  failDeployment: { error: { message: "x" } },
  appendBuildLog: { lines: [{ time: 0, text: "x" }], batch: { sender: "x", number: 0 } },
};

/**
 * Routes whose response about something missing is not a 404, because they have it for everybody or create
 * it.
 */
const NO_404: OperationId[] = [
  "watchBatch",
  "createPacketAddressV1",
  "createPacketAddress",
  "resetIdempotencyKey",
];

/** The things that only the first organization has, by what the path of a route calls them. */
let real: Record<string, string>;
let other: { project: Project; environment: string; session: SignedIn; token: string };

async function aPerson(project: Project): Promise<SignedIn> {
  return signIn(anEmail(), { organization: project.ref.slice(5), role: "owner" });
}

beforeAll(async () => {
  const project = await newProject();
  const organization = project.ref.slice(5);
  // The other organization's first version of the day has the same name as the first one here.
  await deploy(project, ["only-here"]);
  const version = await deploy(project, ["only-here"]);
  const deployed = await call<{ data: { contentHash: string }[] }>(
    "GET",
    `/api/v1/projects/${project.ref}/prod/deployments`,
    project.accessToken,
  );
  const owner = await aPerson(project);
  const post = async <T = { id: string }>(path: string, body: object, token = project.prod) => {
    const { status, body: made } = await call<T>("POST", path, token, body);
    if (status >= 300) throw new Error(`${path}: ${JSON.stringify(made)}`);
    return made;
  };
  const run = await post("/api/v1/tasks/only-here/trigger", { options: { delay: "1h" } });
  const batch = await post("/api/v3/batches", { runCount: 1 });
  const waitpoint = await post("/api/v1/waitpoints/tokens", {});
  const key = await post(`/api/v1/projects/${project.ref}/prod/keys`, {}, project.accessToken);
  const action = await post("/api/v1/bulk-actions", { action: "cancel", runIds: ["run_x"] });
  await post(`/api/v1/projects/${project.ref}/envvars/prod`, { name: "ONLY_HERE", value: "x" });
  const build = await post("/api/v1/deployments", {
    contentHash: deployed.body.data[0]?.contentHash,
    manifest: { tasks: [] },
  });
  const queue = await vi.waitUntil(
    async () => {
      const found = await call<{ data: { id: string }[] }>("GET", "/api/v1/queues", project.prod);
      return found.body.data[0]?.id;
    },
    { timeout: 20_000 },
  );
  const invited = await owner.call<{ id: string }>(
    "POST",
    `/api/v1/organizations/${organization}/invitations`,
    {
      email: anEmail(),
    },
  );
  const sessions = await owner.call<{ data: { id: string }[] }>("GET", "/api/v1/me/sessions");
  const token = await createToken(owner, { organization, scopes: ["read"] });
  real = {
    runs: run.id,
    batches: batch.id,
    tokens: waitpoint.id,
    tasks: "only-here",
    queues: queue,
    deployments: version,
    builds: build.id,
    keys: key.id,
    "bulk-actions": action.id,
    envvars: "ONLY_HERE",
    members: owner.userId,
    invitations: invited.body.id,
    sessions: sessions.body.data[0]?.id ?? "",
    "access-tokens": token.id,
    projects: project.ref,
    organizations: organization,
  };
  const mine = await newProject();
  await deploy(mine, ["hello"]);
  const session = await aPerson(mine);
  const made = await createToken(session, { organization: mine.ref.slice(5), scopes: ["admin"] });
  const { body } = await call<{ id: string }>("GET", `/api/v1/projects/${mine.ref}/prod`, mine.accessToken);
  other = { project: mine, environment: body.id, session, token: made.token };
});

/**
 * The kinds of resources that a path names. Each in turn is another organization's, and the rest are the
 * caller's own.
 */
function namedBy({ path }: Route): string[] {
  if (/^\/(admin|engine)\//.test(path) || path.includes("callback")) return [];
  const kinds: string[] = [];
  if (path.includes("{organization}")) kinds.push("organizations");
  if (path.includes("{ref}")) kinds.push("projects");
  const last = /\/([\w-]+)(?:\/\{env\})?\/\{(\w+)\}(?!.*\{(?!target|key|field))/.exec(path);
  if (path.includes("{runId}")) kinds.push("runs");
  else if (path.includes("{batchId}")) kinds.push("batches");
  else if (path.includes("{version}")) kinds.push("deployments");
  else if (path.includes("/deployments/{id}")) kinds.push("builds");
  else if (
    last &&
    last[2] !== "ref" &&
    last[2] !== "organization" &&
    last[2] !== "env" &&
    last[1] &&
    last[1] in real
  )
    kinds.push(last[1]);
  return kinds;
}

/** Returns an id of the same form that never existed. */
const neverThere = (id: string): string =>
  /^\d{8}\.\d+$/.test(id)
    ? "20010101.1"
    : `${id.slice(0, -5)}${id.slice(-5) === "zzzzz" ? "yyyyy" : "zzzzz"}`;

function pathOf({ path }: Route, kind: string, id: string): string {
  const own: Record<string, string> = {
    organization: kind === "organizations" ? id : other.project.ref.slice(5),
    ref: kind === "projects" ? id : other.project.ref,
    env: "prod",
    target: "self",
    key: "x",
    field: "payload",
  };
  return path.replace(
    /\{(\w+)\}/g,
    (_, name: string) =>
      own[name] ?? (kind in real && !["organizations", "projects"].includes(kind) ? id : "x.json"),
  );
}

async function answer(route: Route, kind: string, id: string, headers: Record<string, string>) {
  const query = route.id === "getQueue" ? "?type=id" : "";
  const sent = await call(
    route.method,
    pathOf(route, kind, id) + query,
    null,
    route.method === "GET" ? undefined : (BODIES[route.id] ?? {}),
    { "content-type": "application/json", "x-acme-environment": other.environment, ...headers },
  );
  const shown = [...sent.headers].filter(
    ([name]) => !/^(x-ratelimit|date|content-length|electric-handle)/.test(name),
  );
  const body = typeof sent.body === "string" ? sent.body : JSON.stringify(sent.body);
  return { status: sent.status, body: body.replaceAll(id, "ID"), headers: Object.fromEntries(shown) };
}

describe("what another organization has", () => {
  it("is known to this test, for every kind of thing that paths name", () => {
    const named = new Set(routes.flatMap(namedBy));
    expect([...named].sort()).toEqual(Object.keys(real).sort());
  });

  it.each(routes)("is answered as what never existed by $method $path", async (route) => {
    const callers = {
      "secret key": { authorization: `Bearer ${other.project.prod}` },
      session: { cookie: other.session.cookie, origin: "http://acme.test" },
      "access token": { authorization: `Bearer ${other.token}` },
    };
    for (const kind of namedBy(route)) {
      const id = real[kind] as string;
      for (const [name, headers] of Object.entries(callers)) {
        const there = await answer(route, kind, id, headers);
        const absent = await answer(route, kind, neverThere(id), headers);
        expect({ name, kind, ...there }).toEqual({ name, kind, ...absent });
        if (!NO_404.includes(route.id)) expect([401, 404]).toContain(there.status);
      }
    }
  });
});
