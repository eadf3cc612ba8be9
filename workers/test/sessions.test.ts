import type { MeResponse } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { call, deploy, newProject, type Project } from "./client.ts";
import { anEmail, type SignedIn, signIn } from "./person.ts";

interface Scene {
  project: Project;
  organization: string;
  person: SignedIn;
  /** Ids of environments. */
  prod: string;
  dev: string;
}

async function aScene(): Promise<Scene> {
  const project = await newProject();
  await deploy(project, ["hello"]);
  const organization = project.ref.slice(5);
  const person = await signIn(anEmail(), { organization });
  const me = await person.call<MeResponse>("GET", "/api/v1/me");
  const environments = me.body.organizations[0]?.projects[0]?.environments ?? [];
  const id = (slug: string) => environments.find((each) => each.slug === slug)?.id ?? "";
  return { project, organization, person, prod: id("prod"), dev: id("dev") };
}

let scene: Scene;
let other: Scene;
beforeAll(async () => {
  scene = await aScene();
  other = await aScene();
});

const within = (environment: string) => ({ "x-acme-environment": environment });

describe("a session", () => {
  it("permits what a key of the environment permits", async () => {
    const triggered = await scene.person.call<{ id: string }>(
      "POST",
      "/api/v1/tasks/hello/trigger",
      { payload: "{}" },
      within(scene.prod),
    );
    expect(triggered.status).toBe(200);
    const path = `/api/v3/runs/${triggered.body.id}`;
    expect((await call("GET", path, scene.project.prod)).status).toBe(200);
    expect((await scene.person.call("GET", path, undefined, within(scene.prod))).status).toBe(200);
    expect((await scene.person.call("GET", `${path}?environment=${scene.prod}`)).status).toBe(200);
  });

  it("permits what an access token permits, for environments of its own organizations", async () => {
    const path = `/api/v1/projects/${scene.project.ref}/prod`;
    expect(await scene.person.call("GET", path)).toMatchObject({ status: 200, body: { id: scene.prod } });
    expect(await other.person.call("GET", path)).toMatchObject({
      status: 404,
      body: { code: "environment_not_found" },
    });
  });

  it("sees nothing of another environment", async () => {
    const triggered = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", scene.project.prod, {
      payload: "{}",
    });
    const path = `/api/v3/runs/${triggered.body.id}`;
    expect((await scene.person.call("GET", path, undefined, within(scene.dev))).status).toBe(404);
    expect((await other.person.call("GET", path, undefined, within(other.prod))).status).toBe(404);
  });

  it("answers the same for another organization's environment as for none", async () => {
    const there = await scene.person.call("GET", "/api/v1/runs", undefined, within(other.prod));
    const nowhere = await scene.person.call("GET", "/api/v1/runs", undefined, within("env_nothing"));
    expect([there.status, nowhere.status]).toEqual([404, 404]);
    expect({ ...there.body, error: "" }).toEqual({ ...nowhere.body, error: "" });
  });

  it("has to name its environment", async () => {
    expect(await scene.person.call("GET", "/api/v1/runs")).toMatchObject({
      status: 400,
      body: { code: "environment_missing" },
    });
  });

  it("changes nothing for another site's page, or for one that hides where it is from", async () => {
    const trigger = (origin: Record<string, string>) =>
      call(
        "POST",
        "/api/v1/tasks/hello/trigger",
        null,
        { payload: "{}" },
        {
          cookie: scene.person.cookie,
          "content-type": "application/json",
          ...within(scene.prod),
          ...origin,
        },
      );
    const refused = { status: 403, body: { code: "cross_origin" } };
    expect(await trigger({ origin: "https://evil.example" })).toMatchObject(refused);
    expect(await trigger({ origin: "null" })).toMatchObject(refused);
    expect(await trigger({})).toMatchObject(refused);
  });

  it("opens no WebSocket for another site's page", async () => {
    const upgrade = (origin: string) =>
      scene.person.call("GET", "/api/v1/runs", undefined, {
        ...within(scene.prod),
        upgrade: "websocket",
        origin,
      });
    expect(await upgrade("https://evil.example")).toMatchObject({
      status: 403,
      body: { code: "cross_origin" },
    });
    expect((await upgrade("http://acme.test")).status).toBe(200);
  });

  it("is ignored beside a key", async () => {
    const both = { authorization: "Bearer tr_prod_unknown", ...within(scene.prod) };
    expect((await scene.person.call("GET", "/api/v1/runs", undefined, both)).status).toBe(401);
  });

  it("has the rate limit of a key", async () => {
    const person = await signIn(anEmail(), { organization: scene.organization });
    const { headers } = await person.call("GET", "/api/v1/runs", undefined, within(scene.prod));
    expect(headers.get("x-ratelimit-limit")).toBe("300");
    expect(Number(headers.get("x-ratelimit-remaining"))).toBeLessThan(300);
  });
});
