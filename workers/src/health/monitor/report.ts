import { log } from "@acme/durable-objects/lib/log";
import { vitals } from "@acme/durable-objects/lib/vitals";
import { objectOf, type ShardBindings } from "@acme/durable-objects/routing";
import type { Bindings } from "../../bindings.ts";
import type { MonitorRpc } from "./rpc.ts";

/** How often an isolate reports while it has something to do. */
const EVERY_MS = 15_000;

/** The name of the one object. */
const MONITOR = "platform";
export const monitorOf = (env: Pick<Bindings, "MONITOR"> & ShardBindings): MonitorRpc =>
  objectOf(env, "MONITOR", env.MONITOR, MONITOR);

let isolate: string | undefined;
let seq = 0;
let reportedAt = 0;

/** Whether it is time to report: each request asks. */
export const isReportDue = (): boolean => Date.now() - reportedAt >= EVERY_MS;

/** Reports the state of this isolate's objects. Never throws, because no caller waits for it. */
export async function reportVitals(env: Bindings): Promise<void> {
  const now = Date.now();
  reportedAt = now;
  isolate ??= crypto.randomUUID();
  seq += 1;
  try {
    await monitorOf(env).report({ isolate, seq, vitals: vitals.read(now) });
  } catch (error) {
    log.debug("The figures of an isolate could not be reported; later ones have them", { error });
  }
}
