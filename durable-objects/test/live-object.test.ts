/** The object that holds the sockets: how many are allowed, and which are closed. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { LIVE_CLOSE } from "@acme/sdk/contract/live";
import { afterEach, expect, it, vi } from "vitest";
import { type Client, closeClients, connect } from "./live-connection.ts";
import { bindings } from "./scene.ts";
import { mostSockets, overProofs } from "./worker.ts";

afterEach(() => {
  closeClients();
  Object.assign(mostSockets, { each: 1_000, all: 1_000 });
  overProofs.clear();
});

const settled = (what: () => void | Promise<void>) => vi.waitFor(what, { timeout: 10_000, interval: 10 });

it("refuses sockets above the limits of an environment and of the process, until others are closed", async () => {
  Object.assign(mostSockets, { each: 2, all: 3 });
  const first = (await connect("limit001")) as Client;
  expect(await connect("limit001")).toMatchObject({ closed: null });
  expect(await connect("limit001")).toBe(503);
  expect(await connect("limit002")).toMatchObject({ closed: null });
  // That makes three.
  expect(await connect("limit003")).toBe(503);
  first.socket.close(1_000);
  await settled(async () => expect(await connect("limit003")).toMatchObject({ closed: null }));
  expect(await connect("limit001")).toBe(503);
});

it("closes idle sockets only of a person who is no longer a member", async () => {
  const gone = (await connect("member01", "session 1 user_1")) as Client;
  const stays = (await connect("member01", "session 2 user_2")) as Client;
  const key = (await connect("member01", "key k")) as Client;
  overProofs.add("session 1 user_1");
  const stub = bindings.LIVE.getByName("member01");
  // The object will wake by itself: the alarm is set.
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  await settled(() => expect(gone.closed?.code).toBe(LIVE_CLOSE.unauthorized));
  expect(gone.messages.at(-1)).toMatchObject({ type: "error", status: 401, code: "invalid_api_key" });
  expect([stays.closed, key.closed]).toEqual([null, null]);
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  stays.socket.close(1_000);
  await settled(async () => {
    await runDurableObjectAlarm(stub);
    // No person is connected: the object may sleep for as long as nothing changes.
    expect(await runDurableObjectAlarm(stub)).toBe(false);
  });
});
