import { beforeAll, describe, expect, it } from "vitest";
import { call, deploy, newProject, type Project } from "./client.ts";
import { finish } from "./host.ts";

let project: Project;
const versions: string[] = [];
beforeAll(async () => {
  project = await newProject();
  for (const tasks of [["a"], ["a", "b"], ["a", "b", "c"]]) versions.unshift(await deploy(project, tasks));
});

describe("deployments, as the published client requests them", () => {
  type Page = { data: { id: string; version: string }[]; pagination: { next?: string } };
  const page = (query: string) =>
    call<Page>(
      "GET",
      `/api/v1/deployments?${query.replaceAll("[", "%5B").replaceAll("]", "%5D")}`,
      project.prod,
    );

  it("are listed newest first, page by page", async () => {
    const first = await page("page[size]=2");
    expect(first.body.data.map(({ version }) => version)).toEqual(versions.slice(0, 2));
    const second = await page(`page[size]=2&page[after]=${first.body.pagination.next}`);
    expect(second.body.data.map(({ version }) => version)).toEqual(versions.slice(2));
    expect(second.body.pagination.next).toBeUndefined();
    expect((await page("status=FAILED")).body.data).toEqual([]);
    expect((await page("status=DONE")).status).toBe(400);
    expect((await page("page[after]=deployment_of_nobody")).body.data).toEqual([]);
  });

  it("have a current one, once something was deployed", async () => {
    const path = "/api/v1/deployments/current";
    expect(await call("GET", path, project.prod)).toMatchObject({
      status: 200,
      body: { version: versions[0], status: "DEPLOYED", runtime: "node" },
    });
    expect(await call("GET", path, project.dev)).toMatchObject({
      status: 404,
      body: { code: "nothing_deployed" },
    });
  });
});

describe("a large payload or output of a run", () => {
  it("has a download URL, and a small one has none", async () => {
    const payload = "x".repeat(300_000);
    const trigger = (body: object) =>
      call<{ id: string }>("POST", "/api/v1/tasks/a/trigger", project.prod, body);
    const { id } = (await trigger({ payload })).body;
    await finish(id, JSON.stringify("y".repeat(300_000)));
    const address = (run: string, field: string, key = project.prod) =>
      call<{ presignedUrl: string }>("GET", `/api/v1/runs/${run}/packets/${field}`, key);
    for (const [field, text] of [
      ["payload", payload],
      ["output", "y".repeat(300_000)],
    ] as const) {
      const { pathname, search } = new URL((await address(id, field)).body.presignedUrl);
      expect((await call("GET", pathname + search, null)).body).toBe(text);
    }
    expect((await address(id, "other")).status).toBe(404);
    expect((await address(id, "payload", project.dev)).status).toBe(404);
    expect((await address((await trigger({ payload: 1 })).body.id, "payload")).status).toBe(404);
  });
});
