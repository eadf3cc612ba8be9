/** Objects in other processes of a server: how they are found, and what a call does when their process is gone. */
import { env } from "cloudflare:workers";
import { newRunId } from "@acme/sdk/contract";
import { describe, expect, it } from "vitest";
import {
  callMethod,
  environmentOf,
  newEnvironmentId,
  newEnvironmentKey,
  queueKeyOf,
  type ShardPeer,
  stubs,
} from "../src/routing/index.ts";
import { throughOutage } from "../src/routing/shards/outages.ts";
import { watched } from "../src/routing/shards/watch.ts";

const BINDINGS = ["QUEUE", "ENVIRONMENT", "DISPATCHER", "FEED", "WAITPOINT", "BATCH", "LIVE"] as const;

/** A namespace that records the names it is asked for. */
function recorded<T extends Rpc.DurableObjectBranded | undefined>(
  namespace: DurableObjectNamespace<T>,
  record: (name: string) => void,
): DurableObjectNamespace<T> {
  return new Proxy(namespace, {
    get: (target, property) =>
      property === "getByName"
        ? (name: string) => {
            record(name);
            return target.getByName(name);
          }
        : Reflect.get(target, property),
  });
}

it("the name of each object says its environment; the container hosts' dispatcher has none", () => {
  const KEY = "env00001";
  const queueKey = queueKeyOf(KEY, "task/a");
  const names: [string, string][] = [];
  const record = (binding: string) => (name: string) => void names.push([binding, name]);
  const at = stubs({
    QUEUE: recorded(env.QUEUE, record("QUEUE")),
    ENVIRONMENT: recorded(env.ENVIRONMENT, record("ENVIRONMENT")),
    DISPATCHER: recorded(env.DISPATCHER, record("DISPATCHER")),
    FEED: recorded(env.FEED, record("FEED")),
    WAITPOINT: recorded(env.WAITPOINT, record("WAITPOINT")),
    BATCH: recorded(env.BATCH, record("BATCH")),
    LIVE: recorded(env.LIVE, record("LIVE")),
  });
  at.queue(queueKey);
  at.environment(KEY);
  at.dispatcher(`dev:${KEY}`);
  at.feed(newRunId(queueKey));
  at.traceFeed(KEY, "0af7651916cd43dd8448eb211c80319c");
  at.metricsFeed(KEY);
  at.waitpoint(newEnvironmentId("waitpoint", KEY));
  at.waitpoint(`key:${KEY}:0123456789abcdef`);
  at.waitpoint(`once:${KEY}:0123456789abcdef`);
  at.batch(newEnvironmentId("batch", KEY));
  at.batch(`key:${KEY}:0123456789abcdef`);
  at.live(KEY);
  expect(new Set(names.map(([binding]) => binding))).toEqual(new Set(BINDINGS));
  for (const [binding, name] of names) expect([name, environmentOf(binding, name)]).toEqual([name, KEY]);
  expect(environmentOf("DISPATCHER", "default")).toBeNull();
  expect(environmentOf("DATABASE", "main")).toBeNull();
});

/** Two processes, of which the second is this one too: its peer calls the real objects. */
function twoProcesses(places: Record<string, number>) {
  const calls: string[] = [];
  const asked: string[] = [];
  const objectAt = (binding: string, name: string) => {
    const known = BINDINGS.find((each) => each === binding);
    if (!known) throw new Error(`No objects ${binding}`);
    return env[known].getByName(name);
  };
  const peer: ShardPeer = {
    ping: () => Promise.resolve(),
    call(binding, name, method, args) {
      calls.push(`${binding} ${method}`);
      return callMethod(objectAt(binding, name), method, args);
    },
    fetch: () => Promise.reject(new Error("Not asked")),
  };
  const placements: Pick<Fetcher, "fetch"> = {
    async fetch(input, init) {
      const path = new URL(String(input)).pathname;
      asked.push(`${init?.method} ${path}`);
      return new Response(String(places[path.slice(1, 9)] ?? (init?.method === "PUT" ? 1 : 0)));
    },
  };
  return { calls, asked, bindings: { ...env, SHARD: "0", PLACEMENTS: placements, SHARD_1: peer } };
}

describe("an object", () => {
  it("is called in the process that has its environment, which is asked for once", async () => {
    const { bindings, calls, asked } = twoProcesses({ shard001: 1 });
    const at = stubs(bindings);
    for (let call = 0; call < 2; call++) {
      expect((await at.environment("shard001").environmentStats()).settings.paused).toBe(false);
      expect(await at.queue(queueKeyOf("shard000", "task/a")).queueStats("shard000")).toBeNull();
    }
    expect(calls).toEqual(["ENVIRONMENT environmentStats", "ENVIRONMENT environmentStats"]);
    expect(asked).toEqual(["GET /shard001", "GET /shard000"]);
  });

  it("of a new environment is in the process that its key was made for", async () => {
    const { bindings, calls, asked } = twoProcesses({});
    const key = await newEnvironmentKey(bindings, "PRODUCTION");
    await stubs(bindings).environment(key).environmentStats();
    expect(calls).toEqual(["ENVIRONMENT environmentStats"]);
    expect(asked).toEqual([`PUT /${key}/PRODUCTION`]);
  });

  it("in a process that this server does not have is refused", async () => {
    const { bindings } = twoProcesses({ shard002: 2 });
    await expect(stubs(bindings).environment("shard002").environmentStats()).rejects.toThrow(
      "ENVIRONMENT shard002 is in process 2, which this server does not have.",
    );
  });
});

describe("a call to a process", () => {
  const never = new Promise<never>(() => {});
  const limits = { quietMs: 1, answerMs: 1 };

  it("may take long while the process answers", async () => {
    let pings = 0;
    const slow = Promise.withResolvers<string>();
    const ping = async (): Promise<void> => {
      pings += 1;
      if (pings === 3) slow.resolve("late");
    };
    expect(await watched(slow.promise, ping, 1, { quietMs: 1, answerMs: 10_000 })).toBe("late");
    expect(pings).toBe(3);
  });

  it("fails when the process has stopped answering", async () => {
    await expect(watched(never, () => never, 1, limits)).rejects.toThrow("Process 1 of the server");
  });

  it("waits for one that is being started again, and is sent once", async () => {
    const down = new Error("Network connection lost.");
    let downFor = 3;
    let sent = 0;
    const peer: ShardPeer = {
      async ping() {
        downFor -= 1;
        if (downFor > 0) throw down;
      },
      call: () => never,
      fetch: () => never,
    };
    const send = async (): Promise<string> => {
      sent += 1;
      if (downFor > 0) throw down;
      return "answer";
    };
    // The connection of this call is the one that broke: whether it was received is unknown.
    await expect(throughOutage(7, peer, send)).rejects.toThrow(down.message);
    expect(await throughOutage(7, peer, send)).toBe("answer");
    expect({ sent, downFor }).toEqual({ sent: 2, downFor: 0 });
  });
});
