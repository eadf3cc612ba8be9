/** Bundles of old versions are deleted when no run needs them any more. */
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { candidatesOf, keptVersions } from "../src/artifacts/collection.ts";
import type { DeploymentRecord } from "../src/storage/repository.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { report, start } from "./host.ts";

const promote = (project: Project, version: string) =>
  call<{ code?: string; error?: string }>(
    "POST",
    `/api/v1/projects/${project.ref}/prod/deployments/${version}/promote`,
    project.accessToken,
    {},
  );

const trigger = (project: Project, task: string, version?: string) =>
  call<{ id: string; code?: string }>("POST", `/api/v1/tasks/${task}/trigger`, project.prod, {
    options: { lockToVersion: version },
  });

const listed = async (project: Project, version: string, status: string) => {
  const query = `filter[version]=${version}&filter[status]=${status}`;
  const { body } = await call<{ data: unknown[] }>("GET", `/api/v1/runs?${query}`, project.prod);
  return body.data.length === 1;
};

const artifactsOf = ({ prodKey }: Project) => env.ARTIFACTS.getByName(prodKey);

/** Runs the alarm as often as there is one, at most twice: it marks, and then deletes. */
async function collect(project: Project): Promise<void> {
  for (let step = 0; step < 2; step++) await runDurableObjectAlarm(artifactsOf(project));
}

/** As many versions as keep their bundles without having runs. */
async function deployMany(project: Project): Promise<void> {
  for (let index = 0; index < keptVersions({}); index++) await deploy(project, ["work", `many-${index}`]);
}

const finish = async (id: string, token: number) => {
  const outcome = { type: "success", output: '"done"', outputType: "application/json" };
  await report({ completed: [{ runId: id, token, completedAt: Date.now(), outcome }] });
};

describe("the bundle of an old version", () => {
  it("is kept while a run needs it, and then deleted without another deployment", async () => {
    const project = await newProject();
    const first = await deploy(project, ["work", "one"]);
    const { id } = (await trigger(project, "work")).body;
    const run = await start(id);
    const second = await deploy(project, ["work", "two"]);
    await deployMany(project);
    await until(() => listed(project, first, "EXECUTING"));
    await collect(project);

    // Nothing runs on the second one.
    const refused = await promote(project, second);
    expect(refused).toMatchObject({ status: 422, body: { code: "bundle_collected" } });
    expect(refused.body.error).toContain("deploy that code again");
    expect(await trigger(project, "work", second)).toMatchObject({
      status: 422,
      body: { code: "bundle_collected" },
    });

    // The first one has a run.
    await evictDurableObject(artifactsOf(project));
    await collect(project);
    expect((await promote(project, first)).status).toBe(200);
    expect((await promote(project, await deploy(project, ["work", "last"]))).status).toBe(200);
    await deployMany(project);
    await collect(project);
    expect((await trigger(project, "other", first)).body.code).toBe("task_not_found");

    await finish(id, run.token);
    await until(() => listed(project, first, "COMPLETED"));
    await collect(project);
    expect((await promote(project, first)).status).toBe(422);

    // The same code is a new version.
    const again = await deploy(project, ["work", "one"]);
    expect((await promote(project, again)).status).toBe(200);
    expect((await promote(project, first)).status).toBe(422);
  });

  it("is kept if a run of it appears after it was marked", async () => {
    const project = await newProject();
    const { ARTIFACTS } = env;
    const first = await deploy(project, ["work", "one"]);
    const second = await deploy(project, ["work", "two"]);
    await deployMany(project);
    const { id } = (await trigger(project, "work", first)).body;
    // The run has not reached the query side when the version is marked.
    const stub = ARTIFACTS.getByName(project.prodKey);
    await runDurableObjectAlarm(stub);
    await until(() => listed(project, first, "QUEUED"));
    await runDurableObjectAlarm(stub);
    expect((await promote(project, first)).status).toBe(200);
    expect((await promote(project, second)).status).toBe(422);
    const run = await start(id);
    await finish(id, run.token);
  });

  it("is kept while another version has it too", async () => {
    const project = await newProject();
    const first = await deploy(project, ["work", "same"]);
    await deployMany(project);
    const same = await deploy(project, ["work", "same"]);
    await collect(project);
    expect((await promote(project, first)).status).toBe(422);
    expect((await promote(project, same)).status).toBe(200);
  });
});

describe("candidates", () => {
  const deployment = (n: number, more: Partial<DeploymentRecord> = {}) =>
    ({ id: `d${n}`, createdAt: n, promotedAt: n, status: "DEPLOYED", ...more }) as DeploymentRecord;

  it("are neither current, nor new, nor current lately, nor being built", () => {
    const all = [
      deployment(1, { promotedAt: 99 }),
      deployment(2),
      deployment(3, { promotedAt: null }),
      deployment(4, { status: "BUILDING" }),
      deployment(5),
      deployment(6, { promotedAt: null }),
    ];
    const found = candidatesOf(all, "d2", 1).map(({ id }) => id);
    expect(found).toEqual(["d3", "d5"]);
    expect(candidatesOf(all, "d2", 10)).toEqual([]);
  });

  it("are determined by a number", () => {
    expect(keptVersions({})).toBe(20);
    expect(keptVersions({ KEEP_VERSIONS: "3" })).toBe(3);
    for (const wrong of ["0", "x", "1.5", "100000"])
      expect(() => keptVersions({ KEEP_VERSIONS: wrong })).toThrow(/KEEP_VERSIONS/);
  });
});
