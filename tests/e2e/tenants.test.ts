/** One organization's data must never delay another's, though both run on the same host. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";

const LINES = 1_500_000;
const OUTPUT_BYTES = 5_000_000;
const TASKS = `
import { logger, task } from "@trigger.dev/sdk";
export const throws = task({
  id: "throws",
  retry: { maxAttempts: 1 },
  run: async () => {
    logger.info("x".repeat(3_000_000), { more: "y".repeat(3_000_000) });
    throw new Error("first line\\n" + "line\\n".repeat(${LINES}) + "last line");
  },
});
export const large = task({ id: "large", run: async () => "z".repeat(${OUTPUT_BYTES}) });
export const small = task({ id: "small", run: async (payload: unknown) => payload });
`;
const OTHER = {
  organization: { slug: "other", name: "Other" },
  project: { ref: "proj_other1", name: "Other" },
  secretKeys: { prod: "tr_prod_sk_0123456789abcdefghijklmn" },
  accessToken: "tr_pat_of_the_other_organization",
};

let server: LocalServer;
beforeAll(async () => {
  server = await startLocalServer({ executor: "process", example: false });
  const secrets = readFileSync(join(server.dataDir, "secrets.json"), "utf8");
  const { adminToken } = JSON.parse(secrets) as { adminToken: string };
  expect((await call("POST", "/admin/v1/bootstrap", adminToken, OTHER)).status).toBe(200);
  await deployTaskFile(server, TASKS);
  const { ref: projectRef } = OTHER.project;
  await deployTaskFile({ ...server, projectRef, accessToken: OTHER.accessToken }, TASKS);
});
afterAll(() => server?.stop());

interface Run {
  id: string;
  status: string;
  output?: unknown;
  outputPresignedUrl?: string;
  error?: { message: string; stackTrace: string };
}
async function call(method: string, path: string, key: string, body?: unknown) {
  const response = await fetch(server.apiUrl + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Run };
}
async function trigger(task: string, key: string, payload?: unknown): Promise<string> {
  const { body, status } = await call("POST", `/api/v1/tasks/${task}/trigger`, key, { payload });
  if (status !== 200) throw new Error(`${task}: ${status} ${JSON.stringify(body)}`);
  return body.id;
}
const ended = (id: string, key: string): Promise<Run> =>
  eventually(`${id} ends`, async () => {
    const { body } = await call("GET", `/api/v3/runs/${id}`, key);
    return /COMPLETED|FAILED|CRASHED|SYSTEM_FAILURE/.test(body.status) && body;
  });

it("runs whose errors and logs are huge end, and those of another organization behind them too", async () => {
  const mine = server.secretKey;
  const theirs = OTHER.secretKeys.prod;
  const huge = await Promise.all(Array.from({ length: 6 }, () => trigger("throws", mine)));
  const large = await Promise.all(Array.from({ length: 3 }, () => trigger("large", theirs)));
  const small = await trigger("small", theirs, { n: 1 });
  expect(await ended(small, theirs)).toMatchObject({ status: "COMPLETED", output: { n: 1 } });
  for (const id of large) expect((await ended(id, theirs)).status).toBe("COMPLETED");
  for (const id of huge) {
    const { error, status } = await ended(id, mine);
    expect(status).toBe("FAILED");
    expect(error?.message).toMatch(/^first line\nline\n[\s\S]* bytes cut\] [\s\S]*\nlast line$/);
    expect(Buffer.byteLength(error?.message ?? "")).toBeLessThanOrEqual(8 * 1024);
    expect(Buffer.byteLength(error?.stackTrace ?? "")).toBeLessThanOrEqual(64 * 1024);
  }
  // The host still works, also after a restart.
  server.kill("host", "SIGKILL");
  expect(await ended(await trigger("small", theirs, 2), theirs)).toMatchObject({ output: 2 });
  expect(await ended(await trigger("small", mine, 3), mine)).toMatchObject({ output: 3 });
});
