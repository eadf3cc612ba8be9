/** Public tokens through the published client of Trigger.dev, unchanged. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { auth, batch, runs, tasks } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASK = `
import { auth, task } from "@trigger.dev/sdk";
export const one = task({ id: "one", run: async (payload: unknown) => payload });
export const two = task({ id: "two", run: async (payload: unknown) => payload });
`;
/**
 * A key whose form does not make the client request tokens from the server, so the client signs them itself.
 */
const OTHER_FORM = "tr_prod_key_of_another_form_0123456789";

describe("public tokens through @trigger.dev/sdk", () => {
  let server: LocalServer;
  let keyOfOwnForm: string;
  beforeAll(async () => {
    server = await startLocalServer({ executor: "process", example: false });
    await deployTaskFile(server, TASK);
    keyOfOwnForm = server.secretKey;
  });
  afterAll(() => server?.stop());
  const as = <T>(accessToken: string, work: () => Promise<T>): Promise<T> =>
    auth.withAuth({ baseURL: server.apiUrl, accessToken }, work) as Promise<T>;

  it("of the server's own form are signed by the server", () => {
    expect(keyOfOwnForm).toMatch(/^tr_prod_sk_[0-9a-zA-Z]{24}$/);
  });

  it("createPublicToken reads what its scopes permit", async () => {
    const [mine, other] = await as(keyOfOwnForm, async () => [
      await tasks.trigger("one", 1, { tags: ["user:1"] }),
      await tasks.trigger("two", 2),
    ]);
    const token = await as(keyOfOwnForm, () =>
      auth.createPublicToken({ scopes: { read: { tags: ["user:1"] } }, expirationTime: "1h" }),
    );
    await as(token, async () => {
      expect((await runs.retrieve(mine?.id ?? "")).id).toBe(mine?.id);
      await expect(runs.retrieve(other?.id ?? "")).rejects.toMatchObject({ status: 403 });
    });
  });

  it("createTriggerPublicToken triggers that task, once", async () => {
    const token = await as(keyOfOwnForm, () => auth.createTriggerPublicToken("one"));
    await as(token, async () => {
      const handle = await tasks.trigger("one", { by: "token" });
      await expect(tasks.trigger("one", {})).rejects.toMatchObject({ status: 422 });
      await expect(tasks.trigger("two", {})).rejects.toMatchObject({ status: 403 });
      // The token that the trigger returned reads the run.
      const run = await as(handle.publicAccessToken, () => runs.poll(handle.id, { pollIntervalMs: 100 }));
      expect(run).toMatchObject({ status: "COMPLETED", output: { by: "token" } });
    });
  });

  it("createTriggerPublicToken for several uses triggers several times", async () => {
    const token = await as(keyOfOwnForm, () =>
      auth.createTriggerPublicToken(["one", "two"], { multipleUse: true }),
    );
    await as(token, async () => {
      await tasks.trigger("one", 1);
      await tasks.trigger("two", 2);
    });
  });

  it("createBatchTriggerPublicToken makes one batch of that task", async () => {
    const token = await as(keyOfOwnForm, () => auth.createBatchTriggerPublicToken("one"));
    const items = [{ payload: 1 }, { payload: 2 }];
    const handle = await as(token, async () => {
      await expect(tasks.trigger("one", 1)).rejects.toMatchObject({ status: 403 });
      await expect(tasks.batchTrigger("two", items)).rejects.toThrow();
      const batchHandle = await tasks.batchTrigger("one", items);
      await expect(tasks.batchTrigger("one", items)).rejects.toThrow(/already been used/);
      return batchHandle;
    });
    const seen = await as(handle.publicAccessToken, () => batch.retrieve(handle.batchId));
    expect(seen.runCount).toBe(2);
  });

  it("are signed by the client itself with a key of another form", async () => {
    const secrets = readFileSync(join(server.dataDir, "secrets.json"), "utf8");
    const { adminToken } = JSON.parse(secrets) as { adminToken: string };
    const response = await fetch(`${server.apiUrl}/admin/v1/bootstrap`, {
      method: "POST",
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({
        organization: { slug: "second", name: "Second" },
        project: { ref: "proj_second1", name: "Second" },
        secretKeys: { prod: OTHER_FORM },
        accessToken: "tr_pat_of_the_second_organization",
      }),
    });
    expect(response.status).toBe(200);
    const token = await as(OTHER_FORM, () => auth.createPublicToken({ scopes: { read: { runs: true } } }));
    const page = await as(token, () => runs.list());
    expect(page.data).toEqual([]);
    await as(token, () => expect(tasks.trigger("one", 1)).rejects.toMatchObject({ status: 403 }));
  });
});
