import { createHash } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { call, deploy, newProject, type Project } from "./client.ts";

interface Deployment {
  id: string;
  version: string;
  status: string;
  promoted: boolean;
  image?: { repository?: string; digest?: string };
  error?: string;
  code: string;
}

const DIGEST = `sha256:${"ab".repeat(32)}`;

let project: Project;
let contentHash: string;
beforeAll(async () => {
  project = await newProject();
  const bundle = "export const tasks = 1;";
  contentHash = createHash("sha256").update(bundle).digest("hex");
  const path = `/api/v1/projects/${project.ref}/prod/bundles/${contentHash}`;
  await call("PUT", path, project.accessToken, bundle, { "content-type": "text/javascript" });
});

const begin = (fields: object = {}) =>
  call<Deployment>("POST", "/api/v1/deployments", project.prod, {
    contentHash,
    manifest: { tasks: [{ id: "a", filePath: "a.ts" }] },
    imageRepository: `registry.example.com/acme/${project.ref}`,
    ...fields,
  });
const finalize = (id: string, fields: object = {}) =>
  call<Deployment>("POST", `/api/v3/deployments/${id}/finalize`, project.prod, {
    imageDigest: DIGEST,
    contentHash,
    ...fields,
  });
const fail = (id: string, message = "npm ended with 1") =>
  call<Deployment>("POST", `/api/v1/deployments/${id}/fail`, project.prod, { error: { message } });

describe("a deployment whose image is built", () => {
  it("begins as BUILDING, and is the current one once its image has a digest", async () => {
    const begun = await begin();
    expect(begun).toMatchObject({ status: 201, body: { status: "BUILDING", promoted: false } });
    const { id, version } = begun.body;
    const promote = `/api/v1/projects/${project.ref}/prod/deployments/${version}/promote`;
    expect(await call("POST", promote, project.accessToken)).toMatchObject({
      status: 409,
      body: { code: "deployment_not_ready" },
    });
    const finished = await finalize(id);
    expect(finished).toMatchObject({
      status: 200,
      body: {
        status: "DEPLOYED",
        promoted: true,
        image: { repository: `registry.example.com/acme/${project.ref}`, digest: DIGEST },
      },
    });
    // The answer was lost, so it is sent again.
    expect((await finalize(id)).body).toEqual(finished.body);
    expect(await call("GET", "/api/v1/deployments/current", project.prod)).toMatchObject({
      body: { version, status: "DEPLOYED" },
    });
    const other = await finalize(id, { imageDigest: `sha256:${"cd".repeat(32)}` });
    expect(other).toMatchObject({ status: 409, body: { code: "build_ended" } });
    expect(await fail(id)).toMatchObject({ status: 409, body: { code: "build_ended" } });
  });

  it("is FAILED with a reason, and never runs", async () => {
    const { id, version } = (await begin()).body;
    expect(await fail(id)).toMatchObject({
      status: 200,
      body: { status: "FAILED", error: "npm ended with 1" },
    });
    expect((await fail(id, "sent again")).body.error).toBe("npm ended with 1");
    expect(await finalize(id)).toMatchObject({ status: 409, body: { code: "build_ended" } });
    const failed = await call<{ data: Deployment[] }>(
      "GET",
      "/api/v1/deployments?status=FAILED",
      project.prod,
    );
    expect(failed.body.data.map((each) => each.version)).toEqual([version]);
  });

  it("can be finished without becoming the current one", async () => {
    const current = await deploy(project, ["a"]);
    const { id } = (await begin()).body;
    expect((await finalize(id, { skipPromotion: true })).body).toMatchObject({
      status: "DEPLOYED",
      promoted: false,
    });
    expect(await call("GET", "/api/v1/deployments/current", project.prod)).toMatchObject({
      body: { version: current },
    });
  });

  it("keeps the log of its build, each batch once", async () => {
    const { id } = (await begin()).body;
    const path = `/api/v1/deployments/${id}/build-log`;
    const lines = [
      { time: 1, text: "Step 1/2 : FROM base" },
      { time: 2, text: "Step 2/2 : RUN true" },
    ];
    const append = (number: number) =>
      call("POST", path, project.prod, { lines, batch: { sender: "cli", number } });
    expect((await append(0)).status).toBe(204);
    expect((await append(0)).status).toBe(204);
    expect((await append(1)).status).toBe(204);
    expect((await call("GET", path, project.prod)).body).toEqual({ data: [...lines, ...lines] });
  });

  it("is refused if its image could be another project's, or if its bundle differs", async () => {
    expect(await begin({ imageRepository: "registry.example.com/acme/proj_other" })).toMatchObject({
      status: 422,
      body: { code: "image_of_another_project" },
    });
    expect((await begin({ imageRepository: "registry.example.com/UPPER" })).status).toBe(400);
    expect(await begin({ contentHash: "0".repeat(64) })).toMatchObject({
      status: 422,
      body: { code: "bundle_not_found" },
    });
    const { id } = (await begin()).body;
    expect(await finalize(id, { contentHash: "0".repeat(64) })).toMatchObject({
      status: 409,
      body: { code: "content_hash_mismatch" },
    });
    const another = await newProject();
    expect(
      await call("POST", `/api/v1/deployments/${id}/fail`, another.prod, { error: { message: "x" } }),
    ).toMatchObject({ status: 404, body: { code: "deployment_not_found" } });
  });
});
