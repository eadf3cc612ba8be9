/** Tokens through the published client of Trigger.dev, unchanged. */
import { auth, runs, tasks, wait } from "@trigger.dev/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const TASK = `
import { task, wait } from "@trigger.dev/sdk";
export const approval = task({
  id: "approval",
  run: async ({ token }: { token: string }) => wait.forToken<{ ok: boolean }>({ id: token }).unwrap(),
});
`;

describe("tokens through @trigger.dev/sdk", () => {
  let server: LocalServer;
  beforeAll(async () => {
    server = await startLocalServer({ executor: "process", example: false });
    await deployTaskFile(server, TASK);
  });
  afterAll(() => server?.stop());
  const as = <T>(work: () => Promise<T>): Promise<T> =>
    auth.withAuth({ baseURL: server.apiUrl, accessToken: server.secretKey }, work) as Promise<T>;

  it("are created, retrieved, listed and completed, and the run that waits for one resumes", () =>
    as(async () => {
      const token = await wait.createToken({ timeout: "1h", tags: ["order"], idempotencyKey: "order-1" });
      expect(token).toMatchObject({ isCached: false, publicAccessToken: expect.any(String) });
      expect((await wait.createToken({ timeout: "1h", idempotencyKey: "order-1" })).id).toBe(token.id);
      const { id } = await tasks.trigger("approval", { token: token.id });
      await eventually("it waits", async () => (await runs.retrieve(id)).status === "WAITING");
      expect(await wait.retrieveToken(token)).toMatchObject({
        id: token.id,
        status: "WAITING",
        tags: ["order"],
      });
      const listed = await wait.listTokens({ tags: ["order"] });
      expect(listed.data.map((item) => item.id)).toEqual([token.id]);
      await wait.completeToken(token, { ok: true });
      const run = await runs.poll(id, { pollIntervalMs: 100 });
      expect(run).toMatchObject({ status: "COMPLETED", output: { ok: true } });
      expect(await wait.retrieveToken(token)).toMatchObject({ status: "COMPLETED", output: { ok: true } });
    }));

  it("one of another environment is not found, and nothing is changed", async () => {
    const token = await as(() => wait.createToken({ timeout: "1h" }));
    await auth.withAuth({ baseURL: server.apiUrl, accessToken: server.devSecretKey }, async () => {
      await expect(wait.completeToken(token, 1)).rejects.toMatchObject({ status: 404 });
      await expect(wait.retrieveToken(token)).rejects.toMatchObject({ status: 404 });
    });
    expect((await as(() => wait.retrieveToken(token))).status).toBe("WAITING");
  });

  it("a public token completes its own token and no other", async () => {
    const [mine, other] = await as(() => Promise.all([wait.createToken(), wait.createToken()]));
    await auth.withAuth({ baseURL: server.apiUrl, accessToken: mine.publicAccessToken }, async () => {
      await expect(wait.completeToken(other, 1)).rejects.toMatchObject({ status: 403 });
      await wait.completeToken(mine, 1);
    });
    expect((await as(() => wait.retrieveToken(mine))).status).toBe("COMPLETED");
    expect((await as(() => wait.retrieveToken(other))).status).toBe("WAITING");
  });
});
