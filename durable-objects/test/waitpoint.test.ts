import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { randomBase36 } from "@acme/sdk/contract";
import { beforeEach, describe, expect, it } from "vitest";
import { until } from "../../tests/support/until.ts";
import { newEnvironmentId } from "../src/routing/environment-id.ts";
import type { WaitpointOwnerRpc } from "../src/waitpoint/rpc.ts";
import { bindings, Scene } from "./scene.ts";
import { querySide } from "./worker.ts";

beforeEach(() => {
  querySide.away = false;
});

/** Creates a token, and returns its object's answer. */
class Token {
  readonly id: string;
  readonly environmentKey: string;

  constructor(environmentKey = randomBase36(8)) {
    this.environmentKey = environmentKey;
    this.id = newEnvironmentId("waitpoint", environmentKey);
  }

  get stub() {
    return bindings.WAITPOINT.getByName(this.id);
  }

  get owner(): WaitpointOwnerRpc {
    return this.stub;
  }

  create(changes: Partial<Parameters<WaitpointOwnerRpc["createToken"]>[0]> = {}) {
    return this.owner.createToken({
      id: this.id,
      environmentKey: this.environmentKey,
      timeoutAt: null,
      idempotencyKey: null,
      idempotencyKeyExpiresAt: null,
      tags: [],
      ...changes,
    });
  }

  complete(data: string | null = '"done"') {
    return this.owner.completeToken(this.environmentKey, {
      data,
      dataType: "application/json",
      isError: false,
    });
  }

  retrieve() {
    return this.owner.retrieveToken(this.environmentKey);
  }
}

/** A run that a host has, and that waits for these tokens: they are journaled as its operations 0, 1, … */
async function waitingRun(scene: Scene, tokens: Token[]) {
  const runId = await scene.trigger();
  const { runs } = await scene.poll();
  const run = runs.find((one) => one.runId === runId) as (typeof runs)[number];
  const entries = tokens.map((token, number) => ({
    number,
    kind: "token" as const,
    name: token.id,
    target: token.id,
    startedAt: Date.now(),
  }));
  await scene.report({ started: run, journal: { run, entries } });
  return { run, runId, waits: tokens.map((_, number) => number) };
}

const statusOf = async (scene: Scene, runId: string) => (await scene.run(runId)).status;

describe("a token", () => {
  it("is created once, and stays as it was", async () => {
    const token = new Token();
    const first = await token.create({ tags: ["a"] });
    const second = await token.create({ tags: ["b"] });
    expect(first).toMatchObject({ id: token.id, status: "PENDING", tags: ["a"], completedAt: null });
    expect(second).toEqual(first);
  });

  it("is unknown to other environments, and asking for one that never was creates nothing", async () => {
    const token = new Token();
    await token.create();
    const other = randomBase36(8);
    expect(await token.owner.retrieveToken(other)).toBeNull();
    const output = { data: "1", dataType: "application/json", isError: false };
    expect(await token.owner.completeToken(other, output)).toBeNull();
    expect(await token.retrieve()).toMatchObject({ status: "PENDING" });
    const never = new Token();
    expect(await never.retrieve()).toBeNull();
    expect(await never.complete()).toBeNull();
    const waiter = { runId: "run_x", attempt: 1, number: 0 };
    expect(await never.owner.waitForToken(never.environmentKey, waiter)).toMatchObject({
      ok: false,
      error: { code: "WAITPOINT_TOKEN_NOT_FOUND" },
    });
    const tables = await runInDurableObject(never.stub, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_schema WHERE name = 'token'").toArray(),
    );
    expect(tables).toEqual([]);
  });

  it("completed 20 times at once keeps the first output, and wakes the run that waits once", async () => {
    const scene = await new Scene().deploy();
    const token = new Token(scene.key);
    await token.create();
    const { run, runId, waits } = await waitingRun(scene, [token]);
    await until(async () => (await subscribers(token)) === 1);
    expect(await scene.report({ suspended: { run, waits } })).toEqual([{ verdict: "suspended" }]);

    const ends = await Promise.all(Array.from({ length: 20 }, (_, n) => token.complete(`${n}`)));
    expect(new Set(ends.map((end) => end?.output)).size).toBe(1);
    await until(async () => (await statusOf(scene, runId)) !== "WAITING_ON_WAITPOINT");
    const { runs } = await scene.poll();
    expect(runs).toHaveLength(1);
    expect(runs[0]?.resume?.journal).toMatchObject([
      { number: 0, result: { ok: true, output: ends[0]?.output } },
    ]);
    expect((await scene.poll()).runs).toEqual([]);
    await until(async () => (await subscribers(token)) === 0);
  });

  it("completed before it is waited for answers at once", async () => {
    const scene = await new Scene().deploy();
    const token = new Token(scene.key);
    await token.create();
    await token.complete('{"approved":true}');
    const { run, waits } = await waitingRun(scene, [token]);
    await until(async () => {
      const [verdict] = await scene.report({ suspended: { run, waits } });
      return typeof verdict === "object" && verdict.verdict === "resume";
    });
  });

  it("notifies an operation that subscribes at the moment of its completion, either way", async () => {
    const scene = await new Scene().deploy();
    for (let round = 0; round < 5; round++) {
      const token = new Token(scene.key);
      await token.create();
      const waiting = waitingRun(scene, [token]);
      await Promise.all([waiting, token.complete()]);
      const { run, runId, waits } = await waiting;
      await scene.report({ suspended: { run, waits } });
      await until(async () => (await statusOf(scene, runId)) !== "WAITING_ON_WAITPOINT");
    }
  });

  it("times out once its time has come, with an error that says so", async () => {
    const scene = await new Scene().deploy();
    const token = new Token(scene.key);
    const timeoutAt = Date.now() + 60_000;
    await token.create({ timeoutAt });
    const { run, runId, waits } = await waitingRun(scene, [token]);
    await until(async () => (await subscribers(token)) === 1);
    await scene.report({ suspended: { run, waits } });
    const dueAt = await runInDurableObject(token.stub, (_, { storage }) => storage.getAlarm());
    expect(dueAt).toBeLessThanOrEqual(timeoutAt);

    const past = Date.now() - 1;
    await runInDurableObject(token.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE token SET timeout_at = ?", past);
    });
    await runDurableObjectAlarm(token.stub);
    const message = `Waitpoint timed out at ${new Date(past).toISOString()}`;
    expect(await token.retrieve()).toMatchObject({
      status: "TIMED_OUT",
      outputIsError: true,
      output: JSON.stringify({ code: "TRIGGER_WAITPOINT_TIMEOUT", message }),
    });
    await until(async () => (await statusOf(scene, runId)) !== "WAITING_ON_WAITPOINT");
    const { runs } = await scene.poll();
    expect(runs[0]?.resume?.journal[0]?.result).toEqual({
      ok: false,
      error: { type: "INTERNAL_ERROR", code: "TRIGGER_WAITPOINT_TIMEOUT", message },
    });
    expect(await token.complete()).toMatchObject({ status: "TIMED_OUT" });
  });

  it("can't be completed after its timeout, even if its alarm has not fired yet", async () => {
    const token = new Token();
    await token.create({ timeoutAt: Date.now() - 1_000 });
    expect(await token.complete()).toMatchObject({ status: "TIMED_OUT" });
  });

  it("notifies a run whose queue could not be reached as soon as it can be", async () => {
    const scene = await new Scene().deploy();
    const token = new Token(scene.key);
    await token.create();
    const { run, runId, waits } = await waitingRun(scene, [token]);
    await until(async () => (await subscribers(token)) === 1);
    await scene.report({ suspended: { run, waits } });
    // As if the object had died after its commit and before it notified anyone.
    await runInDurableObject(token.stub, (_, { storage }) => {
      storage.sql.exec(
        `UPDATE token SET status = 'COMPLETED', output = '1', output_type = 'application/json', version = 2, completed_at = ?`,
        Date.now(),
      );
      storage.setAlarm(Date.now() + 5_000);
    });
    await evictDurableObject(token.stub);
    await runDurableObjectAlarm(token.stub);
    await until(async () => (await statusOf(scene, runId)) !== "WAITING_ON_WAITPOINT");
    expect(await subscribers(token)).toBe(0);
    expect(querySide.waitpoints.get(token.id)).toMatchObject({ status: "COMPLETED", version: 2 });
  });

  it("survives an eviction together with its waiters", async () => {
    const scene = await new Scene().deploy();
    const token = new Token(scene.key);
    await token.create();
    const { run, runId, waits } = await waitingRun(scene, [token]);
    await until(async () => (await subscribers(token)) === 1);
    await scene.report({ suspended: { run, waits } });
    await evictDurableObject(token.stub);
    await token.complete();
    await until(async () => (await statusOf(scene, runId)) !== "WAITING_ON_WAITPOINT");
  });

  it("reaches the query side, even if that was unreachable", async () => {
    querySide.away = true;
    const token = new Token();
    await token.create({ tags: ["x"] });
    await token.complete();
    expect(querySide.waitpoints.has(token.id)).toBe(false);
    querySide.away = false;
    await runDurableObjectAlarm(token.stub);
    expect(querySide.waitpoints.get(token.id)).toMatchObject({
      status: "COMPLETED",
      tags: ["x"],
      environmentKey: token.environmentKey,
    });
  });

  it("is deleted when its retention has passed, and not before", async () => {
    const token = new Token();
    await token.create();
    await token.complete();
    await until(() => querySide.waitpoints.get(token.id)?.status === "COMPLETED");
    await runDurableObjectAlarm(token.stub);
    expect(await token.retrieve()).toMatchObject({ status: "COMPLETED" });
    await runInDurableObject(token.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE token SET completed_at = 1");
    });
    await runDurableObjectAlarm(token.stub);
    expect(await token.retrieve()).toBeNull();
  });

  it("without a timeout waits for ever: its alarm deletes nothing", async () => {
    const token = new Token();
    await token.create();
    await until(() => querySide.waitpoints.has(token.id));
    await runDurableObjectAlarm(token.stub);
    await runDurableObjectAlarm(token.stub);
    expect(await token.retrieve()).toMatchObject({ status: "PENDING" });
  });
});

describe("a token that has ended", () => {
  const DAY_MS = 24 * 3_600_000;
  /** As if the token had been completed 31 days ago. */
  const ages = (token: Token) =>
    runInDurableObject(token.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE token SET completed_at = ?", Date.now() - 31 * DAY_MS);
    });

  it("is deleted when retention is over", async () => {
    const token = new Token();
    await token.create();
    await token.complete('"done"');
    await ages(token);
    await runDurableObjectAlarm(token.stub);
    expect(await token.retrieve()).toBeNull();
  });

  it("is kept until its idempotency key expires, because the key would create it again, and it would never end", async () => {
    const token = new Token();
    const key = { idempotencyKey: "k", idempotencyKeyExpiresAt: Date.now() + 59 * DAY_MS };
    await token.create(key);
    await token.complete('"done"');
    await ages(token);
    await runDurableObjectAlarm(token.stub);
    expect(await token.create(key)).toMatchObject({ status: "COMPLETED", output: '"done"' });
    await runInDurableObject(token.stub, (_, { storage }) => {
      storage.sql.exec("UPDATE token SET idempotency_key_expires_at = 1");
    });
    await runDurableObjectAlarm(token.stub);
    expect(await token.retrieve()).toBeNull();
  });
});

describe("the object of an idempotency key", () => {
  it("returns one id to all concurrent callers, until it expires", async () => {
    const home = bindings.WAITPOINT.getByName(`key:${randomBase36(8)}:hash`);
    const expiresAt = Date.now() + 60_000;
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, n) => home.claimKey({ id: `waitpoint_${n}`, expiresAt })),
    );
    expect(new Set(claims.map(({ id }) => id)).size).toBe(1);
    expect(claims.filter(({ claimed }) => claimed)).toHaveLength(1);

    await evictDurableObject(home);
    expect(await home.claimKey({ id: "waitpoint_later", expiresAt })).toEqual({
      id: claims[0]?.id,
      claimed: false,
      expiresAt,
    });
    await runInDurableObject(home, (_, { storage }) => {
      storage.sql.exec("UPDATE key_claim SET expires_at = ?", Date.now() - 1);
    });
    expect(await home.claimKey({ id: "waitpoint_new", expiresAt })).toEqual({
      id: "waitpoint_new",
      claimed: true,
      expiresAt,
    });
  });

  it("is empty again when the claim has expired", async () => {
    const stub = bindings.WAITPOINT.getByName(`key:${randomBase36(8)}:hash`);
    await stub.claimKey({
      id: "waitpoint_1",
      expiresAt: Date.now() + 60_000,
    });
    await runInDurableObject(stub, (_, { storage }) => {
      storage.sql.exec("UPDATE key_claim SET expires_at = 1");
    });
    await runDurableObjectAlarm(stub);
    const tables = await runInDurableObject(stub, (_, { storage }) =>
      storage.sql.exec("SELECT name FROM sqlite_schema WHERE name = 'key_claim'").toArray(),
    );
    expect(tables).toEqual([]);
  });
});

const subscribers = (token: Token): Promise<number> =>
  runInDurableObject(
    token.stub,
    (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM waiters").one().n,
  );
