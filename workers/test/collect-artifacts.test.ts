/** Bundles of old versions go when no run needs them any more. */
import { describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { candidatesOf, keptVersions } from "../src/runs/collect-artifacts.ts";
import type { DeploymentRecord } from "../src/storage/repository.ts";
import { call, deploy, newProject, type Project } from "./client.ts";
import { request } from "./configured.ts";
import { report, start } from "./host.ts";

/** Promotes a version, and waits for the collection that follows. */
const promote = (project: Project, version: string) =>
  request(
    { KEEP_VERSIONS: "1" },
    `/api/v1/projects/${project.ref}/prod/deployments/${version}/promote`,
    {},
    { authorization: `Bearer ${project.accessToken}` },
  );

async function trigger(project: Project, task: string): Promise<string> {
  const { body } = await call<{ id: string }>("POST", `/api/v1/tasks/${task}/trigger`, project.prod, {});
  return body.id;
}

const listed = async (project: Project, version: string, status: string) => {
  const query = `filter[version]=${version}&filter[status]=${status}`;
  const { body } = await call<{ data: unknown[] }>("GET", `/api/v1/runs?${query}`, project.prod);
  return body.data.length === 1;
};

describe("the bundle of an old version", () => {
  it("is kept while a run needs it, and for a rollback; then it goes", async () => {
    const project = await newProject();
    const first = await deploy(project, ["work", "one"]);
    const id = await trigger(project, "work");
    const run = await start(id);
    const second = await deploy(project, ["work", "two"]);
    const third = await deploy(project, ["work", "three"]);
    await until(() => listed(project, first, "EXECUTING"));

    // Nothing runs on the second one.
    expect((await promote(project, third)).status).toBe(200);
    const refused = await promote(project, second);
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({
      code: "bundle_collected",
      error: expect.stringContaining("deploy that code again"),
    });

    // The first one has a run: a rollback to it works, and from it.
    expect((await promote(project, first)).status).toBe(200);
    expect((await promote(project, third)).status).toBe(200);

    const outcome = { type: "success", output: '"done"', outputType: "application/json" };
    await report({ completed: [{ runId: id, token: run.token, completedAt: Date.now(), outcome }] });
    await until(() => listed(project, first, "COMPLETED"));
    expect((await promote(project, third)).status).toBe(200);
    expect((await promote(project, first)).status).toBe(422);

    // The same code is a new version.
    const again = await deploy(project, ["work", "one"]);
    expect((await promote(project, third)).status).toBe(200);
    expect((await promote(project, again)).status).toBe(200);
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

  it("are told by a number", () => {
    expect(keptVersions({})).toBe(20);
    expect(keptVersions({ KEEP_VERSIONS: "3" })).toBe(3);
    for (const wrong of ["0", "x", "1.5", "100000"])
      expect(() => keptVersions({ KEEP_VERSIONS: wrong })).toThrow(/KEEP_VERSIONS/);
  });
});
