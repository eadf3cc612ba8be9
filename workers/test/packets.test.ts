import { LIMITS } from "@acme/sdk/contract";
import { beforeAll, describe, expect, it } from "vitest";
import { call, deploy, newProject, type Project } from "./client.ts";
import { dequeue, finish } from "./host.ts";

let project: Project;
beforeAll(async () => {
  project = await newProject();
  await deploy(project, ["hello"]);
});

interface Address {
  presignedUrl: string;
  storagePath: string;
}

const pathOf = (address: string): string => new URL(address).pathname + new URL(address).search;

const asked = async (name: string, version = "v2", key = project.prod) =>
  call<Address>("PUT", `/api/${version}/packets/${encodeURIComponent(name)}`, key);

async function upload(text: string, type: string, name = "trigger/packet_1/payload.json"): Promise<string> {
  const { storagePath, presignedUrl } = (await asked(name)).body;
  const stored = await call("PUT", pathOf(presignedUrl), null, text, { "content-type": type });
  expect(stored.status).toBe(200);
  return storagePath;
}

const trigger = (payload: unknown, key = project.prod) =>
  call<{ id: string; code: string }>("POST", "/api/v1/tasks/hello/trigger", key, {
    payload,
    options: { payloadType: "application/store" },
  });

const payloadOf = async (id: string) => (await call("GET", `/api/v3/runs/${id}`, project.prod)).body.payload;

describe("a payload that its client uploads", () => {
  it.each([
    ["JSON", '{"n":1}', "application/json", { n: 1 }],
    [
      "superjson",
      '{"json":{"n":"1"},"meta":{"values":{"n":["bigint"]},"v":1}}',
      "application/super+json",
      {},
    ],
    ["text", "plain text, no JSON", "text/plain", "plain text, no JSON"],
  ])("is the run's payload: %s", async (_what, text, type, shown) => {
    const name = type === "text/plain" ? "payload.txt" : "payload.json";
    const { body } = await trigger(await upload(text, type, name));
    if (type !== "application/super+json") expect(await payloadOf(body.id)).toEqual(shown);
    const run = await dequeue(body.id);
    expect(run.payloadType).toBe("application/store");
    const key = encodeURIComponent(run.payload ?? "");
    const { presignedUrl } = (await call<Address>("GET", `/api/v1/packets/${key}`, project.prod)).body;
    const downloaded = await call("GET", pathOf(presignedUrl), null);
    expect(downloaded.headers.get("content-type")).toContain(type);
    expect(typeof downloaded.body === "string" ? downloaded.body : JSON.stringify(downloaded.body)).toBe(
      text,
    );
  });

  it("is found with the older handshake, by the name that the client chose", async () => {
    const name = "run_1/payload.json";
    const { presignedUrl, storagePath } = (await asked(name, "v1")).body;
    expect(storagePath).toBeUndefined();
    await call("PUT", pathOf(presignedUrl), null, '{"n":2}', { "content-type": "application/json" });
    expect(await payloadOf((await trigger(name)).body.id)).toEqual({ n: 2 });
  });

  it("is refused if it does not exist or belongs to another environment", async () => {
    const stored = await upload("1", "application/json");
    const { storagePath } = (await asked("never.json")).body;
    for (const [path, key] of [
      [storagePath, project.prod],
      [stored, project.dev],
    ] as const) {
      expect(await trigger(path, key)).toMatchObject({ status: 400, body: { code: "packet_not_found" } });
    }
    for (const path of ["../bundles/x.json", "packets", 5, ".json", "a//b.json"]) {
      expect(await trigger(path)).toMatchObject({ status: 400, body: { code: "invalid_packet_name" } });
    }
  });

  it("is refused if it is too large, doesn't match its type, or the URL was forged", async () => {
    const { presignedUrl } = (await asked("large.json")).body;
    const put = (url: string, body: string) =>
      call("PUT", url, null, body, { "content-type": "application/json" });
    const path = pathOf(presignedUrl);
    expect(await put(path, `"${"x".repeat(LIMITS.packetBytes)}"`)).toMatchObject({
      status: 413,
      body: { code: "payload_too_large" },
    });
    expect(await put(path, "{")).toMatchObject({ status: 400, body: { code: "invalid_json" } });
    // An upload address does not permit reads, and the signature covers its key.
    expect(await call("GET", path, null)).toMatchObject({ status: 403, body: { code: "invalid_address" } });
    const other = new URL(presignedUrl);
    other.searchParams.set("key", `packets/${"x".repeat(8)}/uploads/a.json`);
    expect((await put(pathOf(other.href), "1")).status).toBe(403);
    expect(await call("PUT", "/api/v1/packet", null, "1")).toMatchObject({
      status: 400,
      body: { code: "invalid_request" },
    });
    expect((await call("PUT", "/api/v2/packets/a.json", "tr_prod_wrong")).status).toBe(401);
  });
});

describe("a text too large to be sent inline", () => {
  it("stays text", async () => {
    const text = "no JSON ".repeat(40_000);
    const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {
      payload: text,
      options: { payloadType: "text/plain" },
    });
    expect(await payloadOf(body.id)).toBe(text);
  });
});

describe("an output too large for its queue", () => {
  it("is kept in the blob store, and returned like any other", async () => {
    const { body } = await call<{ id: string }>("POST", "/api/v1/tasks/hello/trigger", project.prod, {});
    const output = { text: "ä".repeat(2_000_000) };
    await finish(body.id, JSON.stringify(output));
    expect((await call("GET", `/api/v3/runs/${body.id}`, project.prod)).body).toMatchObject({
      status: "COMPLETED",
      output,
    });
    const result = await call("GET", `/api/v1/runs/${body.id}/result`, project.prod);
    expect(result.body).toMatchObject({ ok: true, outputType: "application/json" });
    expect(JSON.parse(result.body.output as string)).toEqual(output);
  });
});
