import { type ApiClientConfiguration, auth, runs, tasks } from "@acme/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { type LocalServer, startLocalServer } from "../support/local-server.ts";
import { withDocker } from "../support/with-docker.ts";

const poll = (id: string) => runs.poll(id, { pollIntervalMs: 50 });

describe.each<["process" | "docker"]>([["process"], ["docker"]])(
  "examples/hello-world, executor %s",
  (executor) => {
    const suite = executor === "docker" && !withDocker() ? describe.skip : describe;
    suite("runs", () => {
      let server: LocalServer;
      let client: ApiClientConfiguration;
      beforeAll(async () => {
        server = await startLocalServer({ executor });
        client = { baseURL: server.apiUrl, accessToken: server.secretKey };
      });
      afterAll(() => server?.stop());

      it("returns what the task returned", () =>
        auth.withAuth(client, async () => {
          const handle = await tasks.trigger("hello-world", { name: "Ada" });
          const run = await poll(handle.id);
          expect(run).toMatchObject({
            status: "COMPLETED",
            output: { message: "Hello, Ada!" },
            attemptCount: 1,
          });
        }));

      it("is triggered and waited for in one call", () =>
        auth.withAuth(client, async () => {
          const done = await tasks.triggerAndPoll("hello-world", { name: "Grace" });
          expect(done).toMatchObject({ ok: true, output: { message: "Hello, Grace!" } });
          const failed = await tasks.triggerAndPoll("flaky", { failTimes: 9 }, { maxAttempts: 1 });
          expect(failed).toMatchObject({ ok: false, taskIdentifier: "flaky" });
          expect((failed as { error: Error }).error.message).toBe("Attempt 1 fails on purpose");
        }));

      it("retries an attempt that throws", () =>
        auth.withAuth(client, async () => {
          const handle = await tasks.trigger("flaky", { failTimes: 2 });
          const run = await poll(handle.id);
          expect(run).toMatchObject({ status: "COMPLETED", output: { attempts: 3 }, attemptCount: 3 });
        }));

      it("fails with the error and its place in the source when the attempts are used up", () =>
        auth.withAuth(client, async () => {
          const handle = await tasks.trigger("flaky", { failTimes: 99 }, { maxAttempts: 2 });
          const run = await poll(handle.id);
          expect(run).toMatchObject({ status: "FAILED", attemptCount: 2 });
          expect(run.error?.message).toBe("Attempt 2 fails on purpose");
          expect(run.error?.stackTrace).toMatch(/src\/trigger\/flaky\.ts:12:/);
        }));

      it("cancels an executing run", () =>
        auth.withAuth(client, async () => {
          const handle = await tasks.trigger("sleepy", { ms: 600_000 });
          await eventually(
            "it executes",
            async () => (await runs.retrieve(handle.id)).status === "EXECUTING",
          );
          await runs.cancel(handle.id);
          expect((await poll(handle.id)).status).toBe("CANCELED");
          // The slot is free again, and the host still takes runs.
          const next = await tasks.trigger("sleepy", { ms: 1 });
          expect((await poll(next.id)).status).toBe("COMPLETED");
        }));

      it("triggers runs from within a run", () =>
        auth.withAuth(client, async () => {
          const handle = await tasks.trigger("fan-out", { n: 5 });
          const { ids } = (await poll(handle.id)).output as { ids: string[] };
          expect(new Set(ids).size).toBe(5);
          const outputs = await Promise.all(ids.map(async (id) => (await poll(id)).output));
          expect(outputs).toEqual([1, 2, 3, 4, 5].map((n) => ({ message: `Hello, number ${n}!` })));
        }));
    });
  },
);
