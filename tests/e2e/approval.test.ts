import { fileURLToPath } from "node:url";
import { buildProject, deployProject, projectApi } from "@acme/cli";
import { type ApiClientConfiguration, auth, runs, tasks, wait } from "@acme/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const PROJECT = fileURLToPath(new URL("../../examples/approval", import.meta.url));

describe("examples/approval", () => {
  let server: LocalServer;
  let client: ApiClientConfiguration;
  beforeAll(async () => {
    server = await startLocalServer({ executor: "process", example: false });
    client = { baseURL: server.apiUrl, accessToken: server.secretKey };
    const api = projectApi(server, server.projectRef, "prod");
    await deployProject(api, await buildProject(PROJECT), true);
  });
  afterAll(() => server?.stop());

  it.each([
    [true, { shipped: true, receipt: expect.stringMatching(/^receipt-A1-/) }],
    [false, { refunded: expect.stringMatching(/^receipt-A1-/) }],
  ])("an order that is answered with %s", (ok, output) =>
    auth.withAuth(client, async () => {
      const { id } = await tasks.trigger("order", { id: "A1", amount: 120, coolDownSeconds: 1 });
      await eventually("it waits", async () => (await runs.retrieve(id)).status === "WAITING");
      const [token] = (await wait.listTokens({ tags: ["order:A1"], status: "WAITING" })).data;
      const answer = await fetch(token?.url ?? "", { method: "POST", body: JSON.stringify({ ok }) });
      expect(answer.status).toBe(200);
      expect(await runs.poll(id, { pollIntervalMs: 100 })).toMatchObject({ status: "COMPLETED", output });
    }),
  );
});
