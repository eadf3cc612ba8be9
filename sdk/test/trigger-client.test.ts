import { afterEach, expect, it, vi } from "vitest";
import { withConfiguration } from "../src/client/configuration-scope.ts";
import { auth, configure, TriggerClient, tasks } from "../src/index.ts";
import { type RunScope, state } from "../src/run/state.ts";
import { triggeringRun } from "../src/trigger/caller.ts";
import { apiServer } from "./support/api.ts";

const answer = () => ({ body: { id: "run_1", data: [], pagination: {} } });

afterEach(() => {
  configure({});
  vi.unstubAllEnvs();
});

it("has its own server and key, whatever else is configured", async () => {
  const [own, other, global] = [await apiServer(answer), await apiServer(answer), await apiServer(answer)];
  configure({ baseURL: global.url, accessToken: "tr_dev_global", previewBranch: "global" });
  const first = new TriggerClient({ baseURL: own.url, accessToken: "tr_dev_own" });
  const second = new TriggerClient({ baseURL: other.url, accessToken: "tr_dev_other", previewBranch: "b" });
  await Promise.all([
    first.tasks.trigger("hello", 1),
    second.tasks.trigger("hello", 2),
    tasks.trigger("hello", 3),
    auth.withAuth({ accessToken: "tr_dev_scope" }, () => first.runs.list({ limit: 1 })),
    second.runs.bulk.list(),
  ]);
  const seen = (server: typeof own) =>
    server.received
      .map(({ headers, path }) =>
        `${path} ${headers.authorization} ${headers["x-trigger-branch"] ?? ""}`.trim(),
      )
      .sort();
  expect(seen(own)).toEqual([
    "/api/v1/runs?page%5Bsize%5D=1 Bearer tr_dev_own",
    "/api/v1/tasks/hello/trigger Bearer tr_dev_own",
  ]);
  expect(seen(other)).toEqual([
    "/api/v1/bulk-actions Bearer tr_dev_other b",
    "/api/v1/tasks/hello/trigger Bearer tr_dev_other b",
  ]);
  expect(seen(global)).toEqual(["/api/v1/tasks/hello/trigger Bearer tr_dev_global global"]);
});

it("takes missing settings from environment variables", async () => {
  const server = await apiServer(answer);
  vi.stubEnv("ACME_API_URL", server.url);
  configure({ baseURL: "http://127.0.0.1:1" });
  await new TriggerClient({ accessToken: "tr_dev_own" }).tasks.trigger("hello", 1);
  expect(server.received).toHaveLength(1);
});

it("triggers independent runs inside a run, unless it inherits the context", () => {
  const run = { id: "run_parent", isTest: true };
  state.currentRun = () => ({ ctx: { run } }) as RunScope;
  try {
    expect(triggeringRun()).toBe(run);
    expect(withConfiguration({ isDetached: true }, triggeringRun)).toBeUndefined();
    expect(withConfiguration({ isDetached: false }, triggeringRun)).toBe(run);
  } finally {
    state.currentRun = undefined;
  }
});
