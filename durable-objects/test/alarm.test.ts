import { runInDurableObject } from "cloudflare:test";
import { newId } from "@acme/sdk/contract";
import { expect, it } from "vitest";
import { Alarm } from "../src/lib/alarm.ts";
import { bindings } from "./scene.ts";

it("an alarm for a time that the storage refuses is set to the latest one, and moved earlier by the next", async () => {
  const stub = bindings.QUEUE.getByName(newId("run"));
  const times = await runInDurableObject(stub, async (_, { storage }) => {
    const alarm = new Alarm(storage);
    await alarm.load();
    const set: (number | null)[] = [];
    for (const time of [8_640_000_000_000_000, 1e300, Date.UTC(2100, 0)]) {
      alarm.by(time);
      set.push(await storage.getAlarm());
    }
    await storage.deleteAlarm();
    return set;
  });
  expect(times).toEqual([Date.UTC(2180, 0), Date.UTC(2180, 0), Date.UTC(2100, 0)]);
});
