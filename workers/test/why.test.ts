import type { QueueHold, RunHold } from "@acme/durable-objects/rpc";
import type { WhyResponse } from "@acme/sdk/contract/api";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { blockersOf, positionOf, type WhyFacts } from "../src/runs/why.ts";
import { ADMIN_TOKEN, call, deploy, newProject, type Project } from "./client.ts";
import { disconnectHosts, journal, report, start, suspend } from "./host.ts";

const NOW = Date.UTC(2026, 0, 1);
const IDLE: RunHold = {
  status: "PENDING",
  task: "send",
  queue: "mail",
  concurrencyKey: null,
  attempt: 0,
  updatedAt: NOW,
  dueAt: null,
  hostId: null,
  lockedVersion: null,
  ahead: 0,
  paused: false,
  key: { running: 0, limit: null, nextStartAt: null },
  all: { running: 0, limit: null, nextStartAt: null },
  limits: [],
  operations: [],
};
const OPEN: QueueHold = {
  paused: false,
  environment: { running: 0, limit: 10, free: 10 },
  queue: { running: 0, limit: 10 },
  shared: null,
  version: "20260101.1",
  knowsTask: true,
  limits: [],
};

const bound = (current: number | null) => ({ current, base: current, override: null, overriddenAt: null });

/** A limit that runs of several tasks hold, and what a run's key has of it. */
const sharedLimit = (
  paused: boolean,
  [running, total]: [number, number | null],
  [ofKey, perKey]: [number, number | null],
): QueueHold["limits"][number] => ({
  name: "openai",
  perKey: bound(perKey),
  total: bound(total),
  running,
  queued: 3,
  paused,
  key: {
    name: "openai",
    concurrencyKey: "",
    perKey: { current: perKey, base: perKey, override: null, expiresAt: null },
    running: ofKey,
    paused,
  },
});

describe("the reasons that objects give, in words", () => {
  const because = (run: Partial<RunHold>, hold: Partial<QueueHold> = {}, hosts = 1): string[] => {
    const facts: WhyFacts = {
      run: { ...IDLE, ...run },
      hold: { ...OPEN, ...hold },
      environment: "prod",
      isDevelopment: false,
      hosts,
      now: NOW,
    };
    return blockersOf(facts).map(({ reason, message }) => `${reason}: ${message}`);
  };

  it("names `acme dev` in a development environment", () => {
    const said = (hold: Partial<QueueHold>, hosts: number): string[] =>
      blockersOf({
        run: IDLE,
        hold: { ...OPEN, ...hold },
        environment: "dev",
        isDevelopment: true,
        hosts,
        now: NOW,
      }).map(({ message }) => message);
    expect(said({}, 0)).toEqual([
      "No machine executes the runs of this development environment: run `npx acme dev` in the project.",
    ]);
    expect(said({}, 1)).toEqual(["Waits for room in `acme dev`; first in line."]);
    expect(said({ version: null }, 1)).toEqual([
      "Waits for the first version: run `npx acme dev` in the project.",
    ]);
  });

  const full = (running: number, limit = running) => ({ running, limit, nextStartAt: null });

  it.each<[string[], Partial<RunHold>, Partial<QueueHold>?, number?]>([
    [["host: Waits for room on the one host that is connected; first in line."], {}],
    [
      ["host: Waits for room on one of the 3 hosts that are connected; number 12 in line."],
      { ahead: 11 },
      {},
      3,
    ],
    [
      ["host: Waits for room on the one host that is connected; behind more than 1000 others in line."],
      { ahead: 1_000 },
    ],
    [
      ["no_host: No container host is connected. Start one, or look at the logs of those that should be."],
      {},
      {},
      0,
    ],
    [
      [
        'concurrency_key_limit: Waits for a slot: key "customer-7" of queue mail uses 5 of 5 slots; third in line of its key.',
      ],
      { concurrencyKey: "customer-7", key: full(5), ahead: 2 },
    ],
    [
      [
        "shared_limit: Waits for a slot: concurrency limit openai uses 4 of 4 slots; first in line.",
        "shared_limit_key: Waits for a slot: concurrency limit openai (runs without a key) uses its only slot; first in line.",
      ],
      {},
      { limits: [sharedLimit(false, [4, 4], [1, 1])] },
    ],
    [
      ["shared_limit_paused: Concurrency limit openai is paused."],
      {},
      { limits: [sharedLimit(true, [3, 4], [0, null])] },
    ],
    [
      ["concurrency_key_limit: Waits for a slot: the queue of task send uses its only slot; first in line."],
      { queue: "task/send", key: full(1) },
    ],
    [
      ["queue_limit: Waits for a slot: queue mail (all keys) uses 5 of 5 slots; first in line."],
      { all: full(5) },
    ],
    [
      ["queue_limit: Waits for a slot: queue mail (all keys) uses 7 of 6 slots; first in line."],
      { all: full(3, 6) },
      { shared: full(7, 6) },
    ],
    [
      ["queue_rate: Waits for the rate limit of queue mail: its next start is in 4 s."],
      { all: { ...full(0, 9), nextStartAt: NOW + 3_500 } },
    ],
    [
      [
        'concurrency_key_rate: Waits for the rate limit of key "a" of queue mail: its next start is at 2026-01-01T01:00:00.000Z.',
      ],
      { concurrencyKey: "a", key: { ...full(0, 9), nextStartAt: NOW + 3_600_000 } },
    ],
    [["queue_paused: Queue mail is paused."], { paused: true }],
    [["queue_paused: The queue of task send is paused."], { paused: true, queue: "task/send" }],
    [
      ["queue_paused: Queue mail is paused.", "environment_paused: Environment prod is paused."],
      { paused: true },
      { paused: true },
    ],
    [
      ["environment_limit: Waits for a slot: environment prod uses 10 of 10 slots; second in line."],
      { ahead: 1 },
      { environment: { running: 10, limit: 10, free: 0 } },
    ],
    [
      [
        "environment_limit: Waits for a slot: queue mail, which may use as many as environment prod without its burst, uses 10 of 10 slots; first in line.",
      ],
      {},
      { environment: { running: 10, limit: 20, free: 10 }, queue: { running: 10, limit: 10 } },
    ],
    [["delayed: Delayed until 2026-01-01T00:00:09.000Z."], { status: "DELAYED", dueAt: NOW + 9_000 }],
    [
      ["retrying: Attempt 2 failed; attempt 3 is due in 9 s."],
      { status: "RETRYING", attempt: 2, dueAt: NOW + 9_000 },
    ],
    [
      ['version: Waits for a version with task "send": version 20260101.1 does not have it.'],
      { status: "PENDING_VERSION" },
      { knowsTask: false },
    ],
    [
      ["version: Waits for a deployment: nothing was deployed to environment prod yet."],
      { status: "PENDING_VERSION" },
      { version: null, knowsTask: false },
    ],
    [["version: Waits for version 20251231.4."], { status: "PENDING_VERSION", lockedVersion: "20251231.4" }],
    [
      ["waiting: Waits for token waitpoint_a, and for 1 more."],
      {
        status: "WAITING_ON_WAITPOINT",
        operations: [
          { kind: "token", name: "t", target: "waitpoint_a", until: null },
          { kind: "run", name: "refund", target: "run_b", until: null },
        ],
      },
    ],
    [
      ["waiting: Waits for run run_b of task refund."],
      {
        status: "WAITING_ON_WAITPOINT",
        operations: [{ kind: "run", name: "refund", target: "run_b", until: null }],
      },
    ],
    [
      ["waiting: Waits until 2026-01-01T00:00:00.000Z."],
      {
        status: "WAITING_ON_WAITPOINT",
        operations: [{ kind: "wait", name: "", target: null, until: NOW }],
      },
    ],
    [
      ["starting: Handed to host h, which has not reported its start yet."],
      { status: "DEQUEUED", hostId: "h" },
    ],
    [["executing: Attempt 1 executes on host h."], { status: "EXECUTING", attempt: 1, hostId: "h" }],
    [["finished: It is over: FAILED."], { status: "COMPLETED_WITH_ERRORS" }],
  ])("%j", (expected, run, hold, hosts) => {
    expect(because(run, hold, hosts)).toEqual(expected);
  });

  it("are all given, while a place in line is one of a queued run only", () => {
    const all = because(
      { paused: true, key: full(1), all: full(2) },
      { paused: true, environment: { running: 1, limit: 1, free: 0 } },
      0,
    );
    expect(all.map((line) => line.split(":")[0])).toEqual([
      "queue_paused",
      "environment_paused",
      "concurrency_key_limit",
      "queue_limit",
      "environment_limit",
      "no_host",
    ]);
    expect(positionOf({ ...IDLE, ahead: 2 })).toBe(3);
    expect(positionOf({ ...IDLE, status: "EXECUTING" })).toBeUndefined();
  });
});

describe("GET /api/v1/runs/:id/why", () => {
  let project: Project;
  beforeAll(async () => {
    project = await newProject();
    await deploy(
      project,
      ["send", "other"],
      [
        { name: "mail", concurrencyLimit: 1 },
        { name: "total", totalConcurrencyLimit: 1 },
        { name: "slow", rateLimit: { limit: 1, period: "1h" } },
        { name: "slow-keys", rateLimitPerKey: { limit: 1, period: "1h" } },
        { name: "split", partitions: 2, totalConcurrencyLimit: 1 },
      ],
    );
  });

  const trigger = async (options: Record<string, unknown> = {}, task = "send", key = project.prod) => {
    const { body } = await call<{ id: string }>("POST", `/api/v1/tasks/${task}/trigger`, key, { options });
    return body.id;
  };
  const why = async (id: string, key = project.prod): Promise<WhyResponse> => {
    const { status, body } = await call<WhyResponse>("GET", `/api/v1/runs/${id}/why`, key);
    expect(status).toBe(200);
    return body;
  };

  it("names what is missing, from nobody to run it to its end", async () => {
    await disconnectHosts();
    const id = await trigger({ tags: ["a"] }, "other");
    expect(await why(id)).toMatchObject({
      id,
      status: "QUEUED",
      taskIdentifier: "other",
      reason: "no_host",
      queue: { name: "other", type: "task" },
      position: 1,
    });
    const run = await start(id);
    expect(await why(id)).toMatchObject({ reason: "executing", hostId: "host-1", blockers: [{}] });
    const outcome = {
      type: "failure",
      error: { type: "STRING_ERROR", raw: "x" },
      retry: { delayMs: 600_000 },
    };
    await report({ completed: [{ runId: id, token: run.token, completedAt: Date.now(), outcome }] });
    expect(await why(id)).toMatchObject({
      status: "EXECUTING",
      reason: "retrying",
      until: expect.any(String),
    });
    await call("POST", `/api/v2/runs/${id}/cancel`, project.prod);
    expect(await why(id)).toMatchObject({ status: "CANCELED", reason: "finished" });
  });

  it("counts slots of a key, of a queue and of one that is split, with the run's place", async () => {
    for (const [queue, reason, key] of [
      ["mail", "concurrency_key_limit", "customer-7"],
      ["total", "queue_limit", undefined],
      ["split", "queue_limit", undefined],
    ] as const) {
      const options = { queue: { name: queue }, concurrencyKey: key };
      await start(await trigger(options));
      const [, second] = [await trigger(options), await trigger(options)];
      const answer = await until(async () => {
        const found = await why(second);
        return found.reason === reason ? found : null;
      });
      expect(answer).toMatchObject({ queue: { name: queue, type: "custom" }, running: 1, limit: 1 });
      // Runs of a queue that is split wait in one of several lines.
      if (queue !== "split") expect(answer.position).toBe(2);
      expect(answer.concurrencyKey).toBe(key);
    }
  });

  it("says when a rate lets the next one start", async () => {
    for (const [queue, reason] of [
      ["slow", "queue_rate"],
      ["slow-keys", "concurrency_key_rate"],
    ] as const) {
      const options = { queue: { name: queue }, concurrencyKey: "k" };
      await start(await trigger(options));
      const answer = await why(await trigger(options));
      expect(answer).toMatchObject({ reason, position: 1 });
      const inMs = Date.parse(answer.until as string) - Date.now();
      expect(inMs).toBeGreaterThan(3_000_000);
      expect(inMs).toBeLessThanOrEqual(3_600_000);
    }
  });

  it("knows of pauses and of the environment's limit", async () => {
    const pause = (path: string, token: string, body?: unknown) => call("POST", path, token, body);
    await pause("/api/v1/queues/other/pause", project.prod, { type: "task", action: "pause" });
    const id = await trigger({}, "other");
    expect(await why(id)).toMatchObject({
      reason: "queue_paused",
      message: "The queue of task other is paused.",
    });
    await pause(`/api/v1/projects/${project.ref}/prod/pause`, project.accessToken);
    expect((await why(id)).blockers.map(({ reason }) => reason)).toEqual([
      "queue_paused",
      "environment_paused",
    ]);
    await pause(`/api/v1/projects/${project.ref}/prod/resume`, project.accessToken);
    await pause("/api/v1/queues/other/pause", project.prod, { type: "task", action: "resume" });
    // Less than what runs by now.
    const settings = `/admin/v1/projects/${project.ref}/prod/settings`;
    await call("PUT", settings, ADMIN_TOKEN, { concurrencyLimit: 1 });
    expect(await why(await trigger({}, "send"))).toMatchObject({ reason: "environment_limit", limit: 1 });
    await call("PUT", settings, ADMIN_TOKEN, { concurrencyLimit: 100 });
  });

  it("knows what a run waits for", async () => {
    expect(await why(await trigger({ delay: "1h" }))).toMatchObject({ status: "DELAYED", reason: "delayed" });
    expect(await why(await trigger({}, "anything", project.dev), project.dev)).toMatchObject({
      status: "PENDING_VERSION",
      reason: "version",
    });
    const { body: token } = await call<{ id: string }>("POST", "/api/v1/waitpoints/tokens", project.prod, {});
    const run = await start(await trigger());
    await journal(run, [
      { number: 0, kind: "token", name: token.id, target: token.id, startedAt: Date.now() },
    ]);
    await suspend(run, [0]);
    const answer = await why(run.runId);
    expect(answer).toMatchObject({
      status: "WAITING",
      reason: "waiting",
      message: `Waits for token ${token.id}.`,
      operations: [{ kind: "token", target: token.id }],
    });
    expect(answer.position).toBeUndefined();
  });

  it("is of this environment's runs only", async () => {
    const id = await trigger();
    expect(await call("GET", `/api/v1/runs/${id}/why`, project.dev)).toMatchObject({
      status: 404,
      body: { code: "run_not_found" },
    });
  });
});
