import { Hono } from "hono";
import { access } from "../auth/middleware.ts";
import type { App } from "../bindings.ts";
import { healthOf } from "../health/health.ts";
import { prometheusText } from "../health/prometheus-text.ts";
import { serverMetrics } from "../health/server-metrics.ts";

/** How the server is: for load balancers, and for Prometheus with the administrator's token. */
export const healthRoutes = new Hono<App>()
  .get("/healthz", access("checkHealth"), async (c) => {
    const health = await healthOf(c.env);
    return c.json(health, health.ok ? 200 : 503);
  })
  .get("/metrics", access("getServerMetrics"), async (c) =>
    c.body(prometheusText(await serverMetrics(c.env, Date.now())), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    }),
  );
