/** A run's feed: items are stored once however often they are sent, and watchers are notified. */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { DEFAULTS, newRunId } from "@acme/sdk/contract";
import { afterEach, expect, it, vi } from "vitest";
import { type Piece, Watch, type Watched } from "../src/feed/watch.ts";
import { MAX_WATCHED_STREAMS } from "../src/feed/watches.ts";
import { stubs } from "../src/routing/stubs.ts";
import { type Client, closeClients, connect } from "./live-connection.ts";
import { bindings, Scene } from "./scene.ts";
import { feedsCutOff } from "./worker.ts";

afterEach(() => {
  closeClients();
  feedsCutOff.clear();
});

const line = (message: string) => ({ time: 1, level: "info" as const, message });

it("a batch of log lines that is sent again, because its answer was lost, is stored once", async () => {
  const scene = new Scene();
  const feed = stubs(bindings).feed(newRunId(scene.ref.queueKey));
  const batch = (number: number, sender = "host-1 1") => ({ sender, number });
  await feed.appendLogs(1, [line("a"), line("b")], batch(0));
  await feed.appendLogs(1, [line("a"), line("b")], batch(0));
  await feed.appendLogs(1, [line("c")], batch(3));
  // Late: the host has given up or has been answered since.
  await feed.appendLogs(1, [line("a"), line("b")], batch(0));
  // The next attempt, and a host that knows no batches.
  await feed.appendLogs(2, [line("d")], batch(0, "host-1 2"));
  await feed.appendLogs(2, [line("e")]);
  await feed.appendLogs(2, [line("e")]);
  const { lines } = await feed.listLogs({ after: 0, limit: 100 });
  expect(lines.map(({ attempt, message }) => `${attempt} ${message}`)).toEqual([
    "1 a",
    "1 b",
    "1 c",
    "2 d",
    "2 e",
    "2 e",
  ]);
});

it("batches that are sent again together have the numbers that they had, also among new ones", async () => {
  const scene = new Scene();
  const feed = stubs(bindings).feed(newRunId(scene.ref.queueKey));
  const batches = ["a", "b", "c", "d", "e", "f"].map((message, n) => ({
    attempt: 1,
    entries: [line(message), line(message)],
    batch: { sender: "host-1 1", number: 10 * (n + 1) },
  }));
  expect(await feed.appendLogBatches(batches.slice(0, 3))).toEqual([1, 3, 5]);
  expect(await feed.appendLogBatches(batches.slice(0, 5))).toEqual([1, 3, 5, 7, 9]);
  expect(await feed.appendLogBatches(batches.slice(0, 5))).toEqual([1, 3, 5, 7, 9]);
  // The first two were stored everywhere, and are not sent again.
  const late = { attempt: 2, entries: [line("late")], batch: { sender: "host-1 2", number: 60 } };
  expect(await feed.appendLogBatches([...batches.slice(2), late])).toEqual([5, 7, 9, 11, 13]);
  const { lines } = await feed.listLogs({ after: 0, limit: 100 });
  expect(lines.map(({ message }) => message).join("")).toBe("aabbccddeefflate");
});

it("watches no more streams than its limit, however many keys are asked for", async () => {
  const scene = new Scene();
  const runId = newRunId(scene.ref.queueKey);
  const feed = bindings.FEED.getByName(`run:${runId}`);
  const watched = () =>
    runInDurableObject(feed, (_, { storage }) =>
      storage.sql
        .exec("SELECT key FROM watched_streams")
        .toArray()
        .map(({ key }) => String(key)),
    );
  for (let n = 0; n <= MAX_WATCHED_STREAMS; n++) await feed.watchStream(runId, `key ${n}`);
  const keys = await watched();
  expect(keys).toHaveLength(MAX_WATCHED_STREAMS);
  expect(keys).not.toContain("key 0");
  expect(keys).toContain(`key ${MAX_WATCHED_STREAMS}`);
});

it("keeps a watcher that is added while the feed learns that there are none", async () => {
  let last = 0;
  let answer = (_isWatched: boolean) => {};
  const sent: number[] = [];
  const forget = vi.fn();
  const watched: Watched<Piece> = {
    last: () => last,
    after: (previous) => (last > previous ? { previous, last } : null),
    upTo: (number) => ({ previous: number, last: number }),
    send: (piece) => {
      sent.push(piece.last);
      return new Promise<boolean>((resolve) => {
        answer = resolve;
      });
    },
    forget,
  };
  const watch = new Watch(watched, false);
  const append = (): void => {
    last += 1;
    void watch.send();
  };
  append();
  watch.join();
  answer(false);
  await vi.waitFor(() => {
    append();
    expect(sent.length).toBe(2);
  });
  expect(forget).not.toHaveBeenCalled();
  answer(false);
  await vi.waitFor(() => expect(forget).toHaveBeenCalledOnce());
});

/** Aborts the object, with everything in its memory and in progress. */
const die = (feed: DurableObjectStub) =>
  runInDurableObject(feed, (_, ctx) => ctx.abort("it dies")).catch(() => {});

it("sends items that it had stored but not sent when it died, even if it is not called again", async () => {
  const scene = new Scene();
  const runId = await scene.trigger();
  // A stub is of no use any more once its object has died.
  const feed = () => bindings.FEED.getByName(`run:${runId}`);
  const append = (text: string) => feed().appendRecords("words", { records: [JSON.stringify(text)] });
  const client = (await connect(scene.key)) as Client;
  const watch = (id: string, target: object) =>
    client.socket.send(JSON.stringify({ type: "subscribe", id, target: { runId, ...target } }));
  // The numbers of the last line and of the last record that the client knows of.
  const last = (type: "logs" | "stream") =>
    client.messages.findLast((message) => message.type === type) as
      | { previous: number; lines?: unknown[]; records?: unknown[] }
      | undefined;
  const known = (type: "logs" | "stream") => {
    const message = last(type);
    return message && message.previous + (message.lines ?? message.records ?? []).length;
  };
  watch("1", { kind: "logs", after: 0 });
  watch("2", { kind: "stream", key: "words", after: -1 });
  await vi.waitFor(() => expect([known("logs"), known("stream")]).toEqual([0, -1]));
  await feed().appendLogs(1, [line("a")]);
  await append("a");
  await vi.waitFor(() => expect([known("logs"), known("stream")]).toEqual([1, 0]));
  feedsCutOff.add(runId);
  await feed().appendLogs(1, [line("b")]);
  await append("b");
  await die(feed());
  feedsCutOff.clear();
  await vi.waitFor(() => expect([known("logs"), known("stream")]).toEqual([2, 1]), { timeout: 10_000 });
  // For the log, only its end is sent: the client requests what it lacks.
  expect(last("logs")).toMatchObject({ previous: 2, lines: [] });
  expect(last("stream")).toMatchObject({ previous: 0, records: [{ seq: 1, chunk: "b" }] });
  // The feed is kept for as long as before.
  const kept = await vi.waitFor(() =>
    runInDurableObject(feed(), async (_, { storage }) => {
      const until = Number(storage.sql.exec("SELECT value FROM meta WHERE key = 'keptUntil'").one().value);
      expect(await storage.getAlarm()).toBe(until);
      return until;
    }),
  );
  expect(kept).toBeLessThanOrEqual(Date.now() + DEFAULTS.retentionMs);
  const { lines } = await stubs(bindings).feed(runId).listLogs({ after: 0, limit: 10 });
  expect(lines.map(({ message }) => message)).toEqual(["a", "b"]);
});

it("is deleted when its retention has passed", async () => {
  const runId = newRunId(new Scene().ref.queueKey);
  const feed = bindings.FEED.getByName(`run:${runId}`);
  await feed.appendLogs(1, [line("a")]);
  await runInDurableObject(feed, (_, { storage }) => {
    storage.sql.exec("UPDATE meta SET value = '0' WHERE key = 'keptUntil'");
  });
  expect(await runDurableObjectAlarm(feed)).toBe(true);
  const { lines } = await stubs(bindings).feed(runId).listLogs({ after: 0, limit: 10 });
  expect(lines).toEqual([]);
  expect(await runDurableObjectAlarm(feed)).toBe(false);
});

it("is kept for the time that its organization has, from the last addition on", async () => {
  const runId = newRunId(new Scene().ref.queueKey);
  const feed = bindings.FEED.getByName(`run:${runId}`);
  const week = 7 * 86_400_000;
  const leftOf = () =>
    runInDurableObject(feed, async (_, { storage }) => {
      const until = Number(storage.sql.exec("SELECT value FROM meta WHERE key = 'keptUntil'").one().value);
      expect(await storage.getAlarm()).toBeLessThanOrEqual(until);
      return until - Date.now();
    });
  await feed.appendLogs(1, [line("a")], undefined, week);
  expect(Math.round((await leftOf()) / 60_000)).toBe(week / 60_000);
  await feed.appendLogs(1, [line("b")]);
  expect(Math.round((await leftOf()) / 60_000)).toBe(week / 60_000);
  await feed.appendLogs(1, [line("c")], undefined, 52 * week);
  expect(Math.round((await leftOf()) / 60_000)).toBe((52 * week) / 60_000);
  // The earlier alarm finds that it is not over.
  expect(await runDurableObjectAlarm(feed)).toBe(true);
  const { lines } = await stubs(bindings).feed(runId).listLogs({ after: 0, limit: 10 });
  expect(lines).toHaveLength(3);
});
