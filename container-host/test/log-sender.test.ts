import type { ReportRequest } from "@acme/sdk/contract";
import { expect, it, vi } from "vitest";
import { LogSender } from "../src/log-sender.ts";
import { Session } from "../src/session.ts";

it("sends logs again under the same number when the answer is lost, and later ones under a higher one", async () => {
  const bodies: ReportRequest[] = [];
  const sender = new LogSender({
    api: {
      report: async (body) => {
        bodies.push(JSON.parse(String(body)) as ReportRequest);
        if (bodies.length === 1) throw new Error("the answer is lost");
        const logs = bodies.at(-1)?.logs?.map(() => "ok" as const) ?? [];
        return {
          started: [],
          completed: [],
          heartbeats: [],
          journals: [],
          suspensions: [],
          checkpoints: [],
          apiTokens: [],
          logs,
        };
      },
    },
    session: new Session("host"),
    log: { info: vi.fn(), warn: vi.fn(), error: vi.fn() },
    onDropped: () => {},
  });
  const add = (attempt: number, message: string) =>
    sender.add({ runId: "run_1", attempt, apiToken: "t" }, [{ time: 1, level: "info", message }], 10);
  add(1, "a");
  add(2, "b");
  await sender.drained(10_000);
  add(1, "c");
  await sender.drained(10_000);
  const batches = bodies.map(({ logs }) => logs?.map(({ batch }) => batch));
  expect(batches).toHaveLength(3);
  expect(batches[1]).toEqual(batches[0]);
  // Attempts may be stored in another order than they are sent in: each counts for itself.
  expect(batches[0]?.[0]?.sender).not.toBe(batches[0]?.[1]?.sender);
  expect(batches[2]?.[0]?.sender).toBe(batches[0]?.[0]?.sender);
  expect(batches[2]?.[0]?.number).toBeGreaterThan(batches[0]?.[0]?.number ?? Number.NaN);
});
