import { DurableObject } from "cloudflare:workers";
import { log } from "@acme/durable-objects/lib/log";
import type { IsolateVitals } from "@acme/durable-objects/lib/vitals";
import type { Bindings } from "../../bindings.ts";
import { pushMetrics } from "../otlp/push.ts";
import { exportSettings } from "../otlp/settings.ts";
import { serverMetrics } from "../server-metrics.ts";
import type { MonitorRpc, PlatformVitals, VitalsReport } from "./rpc.ts";
import { VitalsTotals } from "./totals.ts";

/** How the whole platform is; and where an operator named a collector, its alarm sends it there. */
export class MonitorObject extends DurableObject<Bindings> implements MonitorRpc {
  readonly #totals: VitalsTotals;
  readonly #since: number;
  #failures = 0;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    const { kv } = ctx.storage;
    this.#totals = new VitalsTotals(kv.get<IsolateVitals["counters"]>("counters") ?? {});
    this.#since = kv.get<number>("since") ?? Date.now();
    kv.put("since", this.#since);
  }

  async report(report: VitalsReport): Promise<void> {
    if (!this.#totals.add(report, Date.now())) return;
    this.ctx.storage.kv.put("counters", this.#totals.counters);
    await this.#arm();
  }

  async read(): Promise<PlatformVitals> {
    return this.#totals.read(Date.now(), this.#since);
  }

  override async alarm(): Promise<void> {
    const settings = exportSettings(this.env);
    if (!settings) return;
    // Before anything that can fail.
    await this.ctx.storage.setAlarm(Date.now() + settings.intervalMs);
    try {
      const now = Date.now();
      await pushMetrics(settings, await serverMetrics(this.env, now, await this.read()), this.#since, now);
      if (this.#failures > 0) log.info("The collector of metrics answers again");
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      // A collector that is away for hours is no reason for thousands of lines.
      if (Number.isInteger(Math.log2(this.#failures)))
        log.warn("Metrics could not be sent to the collector; the next ones will be tried", {
          failures: this.#failures,
          error,
        });
    }
  }

  async #arm(): Promise<void> {
    const settings = exportSettings(this.env);
    if (!settings || (await this.ctx.storage.getAlarm()) !== null) return;
    await this.ctx.storage.setAlarm(Date.now() + settings.intervalMs);
  }
}
