import { log } from "@acme/durable-objects/lib/log";
import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App, Bindings } from "../bindings.ts";
import { healthOf } from "../health/health.ts";
import { monitorOf, reportVitals } from "../health/monitor/report.ts";
import type { PlatformVitals } from "../health/monitor/rpc.ts";
import { prometheusText } from "../health/prometheus-text.ts";
import { serverMetrics } from "../health/server-metrics.ts";

/** How the server is: for load balancers, and for Prometheus with a token of its own. */
export const healthRoutes = new Hono<App>()
  .get("/healthz", access("checkHealth"), async (c) => {
    const health = await healthOf(c.env);
    return c.json(health, health.ok ? 200 : 503);
  })
  .get("/metrics", access("getServerMetrics"), async (c) =>
    c.body(prometheusText(await serverMetrics(c.env, Date.now(), await platformVitals(c.env))), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    }),
  );

/** With this isolate's figures as they are now; null: the object that adds them up does not answer, which a scrape shows as missing. */
async function platformVitals(env: Bindings): Promise<PlatformVitals | null> {
  await reportVitals(env);
  try {
    return await monitorOf(env).read();
  } catch (error) {
    log.error("The figures of the objects could not be read", { error });
    return null;
  }
}
