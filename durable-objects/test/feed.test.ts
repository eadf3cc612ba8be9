/** A run's feed: what is stored once however often it is sent, and who hears of it. */
import { runInDurableObject } from "cloudflare:test";
import { newRunId } from "@acme/sdk/contract";
import { expect, it, vi } from "vitest";
import { Watch } from "../src/feed/watch.ts";
import { MAX_WATCHED_STREAMS } from "../src/feed/watches.ts";
import { stubs } from "../src/routing/stubs.ts";
import { bindings, Scene } from "./scene.ts";

const line = (message: string) => ({ time: 1, level: "info" as const, message });

it("a batch of log lines that is sent again, because its answer was lost, is stored once", async () => {
  const scene = new Scene();
  const feed = stubs(bindings).feed(newRunId(scene.ref.queueKey));
  const batch = (number: number, sender = "host-1 1") => ({ sender, number });
  await feed.appendLogs(1, [line("a"), line("b")], batch(0));
  await feed.appendLogs(1, [line("a"), line("b")], batch(0));
  await feed.appendLogs(1, [line("c")], batch(3));
  // Late: the host has given it up or has had its answer since.
  await feed.appendLogs(1, [line("a"), line("b")], batch(0));
  // The next attempt, and a host that knows no batches.
  await feed.appendLogs(2, [line("d")], batch(0, "host-1 2"));
  await feed.appendLogs(2, [line("e")]);
  await feed.appendLogs(2, [line("e")]);
  const logs = await feed.listLogs({ limit: 100 });
  expect(logs.map(({ attempt, entry }) => `${attempt} ${entry.message}`)).toEqual([
    "1 a",
    "1 b",
    "1 c",
    "2 d",
    "2 e",
    "2 e",
  ]);
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

it("whoever begins to watch while the feed hears that nobody does is not forgotten", async () => {
  let last = 0;
  let answer = (_isWatched: boolean) => {};
  const sent: number[] = [];
  const forget = vi.fn();
  const watch = new Watch({
    last: () => last,
    after: (previous) => (last > previous ? { previous, last } : null),
    send: (piece) => {
      sent.push(piece.last);
      return new Promise<boolean>((resolve) => {
        answer = resolve;
      });
    },
    forget,
  });
  const append = (): void => {
    last += 1;
    void watch.appended();
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
