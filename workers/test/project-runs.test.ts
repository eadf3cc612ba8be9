import type { ListRunsResponse } from "@acme/sdk/contract/api";
import { describe, expect, it, vi } from "vitest";
import { call, deploy, newProject, type Project } from "./client.ts";
import { anEmail, signIn } from "./person.ts";

const trigger = async (key: string, tag: string) =>
  (
    await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", key, {
      options: { tags: [tag], delay: "1h" },
    })
  ).body.id;

const pathOf = (project: Project, query = "") =>
  `/api/v1/projects/${project.ref}/runs?${query.replaceAll("[", "%5B").replaceAll("]", "%5D")}`;

const list = async (project: Project, query = "") =>
  (await call<ListRunsResponse>("GET", pathOf(project, query), project.accessToken)).body;

const ids = ({ data }: ListRunsResponse) => data.map(({ id }) => id);

describe("the runs of a project", () => {
  it("are those of all of its environments, newest first, page by page", async () => {
    const project = await newProject();
    await deploy(project, ["hello"]);
    const other = await newProject();
    await trigger(other.prod, "a");
    const made: string[] = [];
    for (const key of [project.prod, project.dev, project.prod, project.dev])
      made.unshift(await trigger(key, "a"));
    await vi.waitFor(async () => expect(ids(await list(project))).toEqual(made), { timeout: 20_000 });

    const first = await list(project, "page[size]=3");
    expect(ids(first)).toEqual(made.slice(0, 3));
    const last = await list(project, `page[size]=3&page[after]=${first.pagination.next}`);
    expect(ids(last)).toEqual(made.slice(3));
    expect(last.pagination.next).toBeUndefined();
    expect(first.data.map(({ env }) => env.name)).toEqual(["dev", "prod", "dev"]);
    expect(ids(await list(project, "filter[env]=prod&filter[tag]=a&filter[status]=DELAYED"))).toEqual([
      made[1],
      made[3],
    ]);
    expect(ids(await list(project, "filter[env]=staging"))).toEqual([]);
    expect(ids(await list(project, "filter[status]=COMPLETED"))).toEqual([]);
  });

  it("are shown to members and to the organization's tokens only", async () => {
    const project = await newProject();
    await deploy(project, ["hello"]);
    const id = await trigger(project.prod, "a");
    await vi.waitFor(async () => expect(ids(await list(project))).toEqual([id]), { timeout: 20_000 });
    const viewer = await signIn(anEmail(), { organization: project.ref.slice(5), role: "viewer" });
    expect(ids((await viewer.call<ListRunsResponse>("GET", pathOf(project))).body)).toEqual([id]);
    const stranger = await newProject();
    const seen = await call("GET", pathOf(project), stranger.accessToken);
    expect([seen.status, seen.body.code]).toEqual([404, "project_not_found"]);
    expect((await call("GET", pathOf(project), project.prod)).status).toBe(401);
    const named = await call("GET", pathOf(project, "filter[env]=qa"), project.accessToken);
    expect([named.status, named.body.code]).toEqual([404, "environment_not_found"]);
    const next = await trigger(stranger.prod, "a");
    expect(ids(await list(project, `page[after]=${next}`))).toEqual([]);
  });
});
