import { ApiClient } from "@trigger.dev/core/v3";
import { auth, configure, envvars, runs, tasks } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASKS = `
import { envvars, logger, task } from "@trigger.dev/sdk";

export const read = task({ id: "read", run: async ({ name }: { name: string }) => process.env[name] ?? null });
export const large = task({ id: "large", run: async ({ text }: { text: string }) => text + text });
export const leak = task({
  id: "leak",
  retry: { maxAttempts: 1 },
  run: async () => {
    const secret = process.env.API_TOKEN ?? "";
    console.log("console: " + secret + "\\nnext line " + secret);
    logger.info("logger", { nested: { secret } });
    throw new Error("failed with " + secret);
  },
});
export const manage = task({
  id: "manage",
  run: async () => {
    await envvars.create({ name: "FROM_RUN", value: "1" });
    await envvars.update("FROM_RUN", { value: "2" });
    return (await envvars.list()).map(({ name, value }) => name + "=" + value);
  },
});
`;

/** Environment variables through the published client of Trigger.dev, down to the processes of tasks. */
describe("envvars by @trigger.dev/sdk 4.8.3", () => {
  let server: LocalServer;
  const SECRET = "tok_4f7d0b1c9a";

  beforeAll(async () => {
    server = await startLocalServer({ example: false });
    await deployTaskFile(server, TASKS);
    configure({ baseURL: server.apiUrl, accessToken: server.secretKey });
  });
  afterAll(() => server?.stop());

  const of = () => [server.projectRef, "prod"] as const;
  const ended = async (task: string, payload: unknown) => {
    const { id } = await tasks.trigger(task, payload);
    return runs.poll(id, { pollIntervalMs: 50 });
  };

  it("creates, lists, retrieves, updates and deletes", async () => {
    expect(await envvars.create(...of(), { name: "PLAIN", value: "a" })).toMatchObject({ success: true });
    // Its types lack isSecret here, but it sends what it is given.
    const secret: { name: string; value: string } = Object.assign(
      { name: "API_TOKEN", value: SECRET },
      { isSecret: true },
    );
    await envvars.create(...of(), secret);
    expect(await envvars.list(...of())).toMatchObject([
      { name: "API_TOKEN", value: "<redacted>", isSecret: true },
      { name: "PLAIN", value: "a", isSecret: false },
    ]);
    // Outside of a run, this version's own `update` fails with "name is not defined"; `create` overwrites.
    await envvars.create(...of(), { name: "PLAIN", value: "b" });
    expect(await envvars.retrieve(...of(), "PLAIN")).toMatchObject({ name: "PLAIN", value: "b" });
    await envvars.upload(...of(), { variables: { PLAIN: "c", MORE: "d" } });
    expect((await envvars.retrieve(...of(), "PLAIN")).value).toBe("b");
    await envvars.upload(...of(), { variables: { PLAIN: "c" }, override: true });
    expect((await envvars.retrieve(...of(), "PLAIN")).value).toBe("c");
    await envvars.del(...of(), "MORE");
    await expect(envvars.retrieve(...of(), "MORE")).rejects.toMatchObject({ status: 404 });
    await expect(envvars.list(server.projectRef, "dev")).rejects.toMatchObject({ status: 404 });
  });

  it("reach the processes of tasks, and changes reach the next attempts", async () => {
    await eventually(
      "the value is there",
      async () => (await ended("read", { name: "PLAIN" })).output === "c",
    );
    await envvars.create(...of(), { name: "PLAIN", value: "changed" });
    await eventually(
      "the new value is there",
      async () => (await ended("read", { name: "PLAIN" })).output === "changed",
    );
    await envvars.del(...of(), "PLAIN");
    await eventually("it is gone", async () => (await ended("read", { name: "PLAIN" })).output === null);
  });

  it("secret values are in no log and no error", async () => {
    await eventually(
      "it is there",
      async () => (await ended("read", { name: "API_TOKEN" })).output === SECRET,
    );
    const run = await ended("leak", {});
    expect(run.error?.message).toBe("failed with [redacted]");
    let text = "";
    await eventually("the logs are there", async () => {
      const response = await fetch(`${server.apiUrl}/api/v1/runs/${run.id}/events`, {
        headers: { authorization: `Bearer ${server.secretKey}` },
      });
      text = await response.text();
      return text.includes("console: ") && text.includes("nested");
    });
    expect(text).toContain("console: [redacted]\\nnext line [redacted]");
    expect(text).not.toContain(SECRET);
  });

  it("are managed from inside a run", async () => {
    const run = await ended("manage", {});
    expect(run.output).toEqual(["API_TOKEN=<redacted>", "FROM_RUN=2"]);
  });

  it("gives the addresses of a large payload and output to a public token", async () => {
    const text = "x".repeat(600_000);
    const { id } = await tasks.trigger("large", { text });
    expect((await runs.poll(id, { pollIntervalMs: 50 })).output).toHaveLength(2 * text.length);
    const token = await auth.createPublicToken({ scopes: { read: { runs: [id] } } });
    const client = new ApiClient(server.apiUrl, token);
    const fetched = async (field: "payload" | "output") => {
      const { presignedUrl } = await client.getRunPacketUrl(id, field, "none");
      return (await fetch(presignedUrl)).text();
    };
    expect(await fetched("payload")).toContain(text);
    expect(await fetched("output")).toContain(text + text);
  });

  it("acts in a branch of the preview environment", async () => {
    const link = await eventually(
      "the sign-in link is printed",
      () => /https?:\/\/\S+magic-link\S+/.exec(server.output())?.[0],
    );
    const signedIn = await fetch(link, { redirect: "manual" });
    const cookie = signedIn.headers
      .getSetCookie()
      .map((each) => each.split(";")[0])
      .join("; ");
    const ofProject = async (path: string, body: object) => {
      const response = await fetch(`${server.apiUrl}/api/v1/projects/${server.projectRef}/${path}`, {
        method: "POST",
        headers: { cookie, origin: new URL(link).origin, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      expect(response.ok, await response.clone().text()).toBe(true);
      return (await response.json()) as { key: string; slug: string };
    };
    const branch = await ofProject("environments", { type: "branch", branch: "feat/search" });
    const { key: accessToken } = await ofProject("preview/keys", { name: "branches" });
    await auth.withAuth({ accessToken, previewBranch: "feat/search" }, async () => {
      const { id } = await tasks.trigger("read", { name: "A" });
      expect(id).toContain(branch.key);
      expect((await runs.retrieve(id)).status).toBe("PENDING_VERSION");
      await envvars.create(server.projectRef, "preview", { name: "ONLY_BRANCH", value: "1" });
    });
    const branched = await auth.withAuth({ accessToken, previewBranch: "feat/search" }, () =>
      envvars.list(server.projectRef, "preview"),
    );
    expect(branched.map(({ name }) => name)).toEqual(["ONLY_BRANCH"]);
    expect(await auth.withAuth({ accessToken }, () => envvars.list(server.projectRef, "preview"))).toEqual(
      [],
    );
    await auth.withAuth({ accessToken, previewBranch: "other" }, () =>
      expect(tasks.trigger("read", { name: "A" })).rejects.toMatchObject({ status: 404 }),
    );
  });
});
