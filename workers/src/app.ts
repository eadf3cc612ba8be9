import { log } from "@acme/durable-objects/lib/log";
import { Hono } from "hono";
import { cors } from "hono/cors";
import { routePath } from "hono/route";
import { requireConfiguration } from "./auth/configuration.ts";
import type { App } from "./bindings.ts";
import { discardBody } from "./http/body.ts";
import { serveDashboard } from "./http/dashboard.ts";
import { Failure } from "./http/failure.ts";
import { RememberingRouter } from "./http/remembering-router.ts";
import { electricRoutes } from "./realtime/electric/routes.ts";
import { liveRoutes } from "./realtime/live-route.ts";
import { streamRoutes } from "./realtime/streams/routes.ts";
import { accessTokenRoutes } from "./routes/access-tokens.ts";
import { adminRoutes } from "./routes/admin.ts";
import { alertRoutes } from "./routes/alerts.ts";
import { batchRoutes } from "./routes/batches.ts";
import { buildRoutes } from "./routes/builds.ts";
import { bulkActionRoutes } from "./routes/bulk-actions.ts";
import { concurrencyLimitRoutes } from "./routes/concurrency-limits.ts";
import { deploymentRoutes } from "./routes/deployments.ts";
import { developmentRoutes } from "./routes/development.ts";
import { environmentRoutes } from "./routes/environments.ts";
import { envvarRoutes } from "./routes/envvars.ts";
import { errorRoutes } from "./routes/errors.ts";
import { healthRoutes } from "./routes/health.ts";
import { hostRoutes } from "./routes/host.ts";
import { keyRoutes } from "./routes/keys.ts";
import { logSearchRoutes } from "./routes/log-search.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { openApiRoutes } from "./routes/openapi.ts";
import { organizationRoutes } from "./routes/organizations.ts";
import { otlpRoutes } from "./routes/otlp.ts";
import { packetRoutes } from "./routes/packets.ts";
import { peopleRoutes } from "./routes/people.ts";
import { publicTokenRoutes } from "./routes/public-tokens.ts";
import { queryRoutes } from "./routes/query.ts";
import { queueRoutes } from "./routes/queues.ts";
import { runTelemetryRoutes } from "./routes/run-telemetry.ts";
import { runRoutes } from "./routes/runs.ts";
import { scheduleRoutes } from "./routes/schedules.ts";
import { triggerRoutes } from "./routes/trigger.ts";
import { waitpointRoutes } from "./routes/waitpoints.ts";

/** Paths for programs: an unknown one is answered with JSON, never with a page of the dashboard. */
const API = /^\/(api|engine|admin|realtime|otel)\//;

export const app = new Hono<App>({ router: new RememberingRouter() });

// Registered before every middleware that changes responses: the response that opens a WebSocket must be
// passed on unchanged.
app.route("/", liveRoutes);

/**
 * Keys and tokens are not cookies, so any page may call the API with those it was given. Other requests are
 * not slowed down.
 */
const anyOrigin = cors({
  origin: "*",
  exposeHeaders: [
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-trigger-jwt",
  ],
  maxAge: 86_400,
});
// There is one middleware per path, because each one costs a request closures and promises.
app.use("/api/*", (c, next) => {
  const configured = () => {
    requireConfiguration(c.env);
    return next();
  };
  return c.req.header("origin") === undefined ? configured() : anyOrigin(c, configured);
});
for (const path of ["/engine/*", "/admin/*", "/otel/*"]) {
  app.use(path, (c, next) => {
    requireConfiguration(c.env);
    return next();
  });
}

app.route("/", electricRoutes);
app.route("/", streamRoutes);
app.route("/", triggerRoutes);
app.route("/", runRoutes);
app.route("/", batchRoutes);
app.route("/", waitpointRoutes);
app.route("/", publicTokenRoutes);
app.route("/", keyRoutes);
app.route("/", accessTokenRoutes);
app.route("/", scheduleRoutes);
app.route("/", runTelemetryRoutes);
app.route("/", otlpRoutes);
app.route("/", packetRoutes);
app.route("/", logSearchRoutes);
app.route("/", queryRoutes);
app.route("/", queueRoutes);
app.route("/", errorRoutes);
app.route("/", metricsRoutes);
app.route("/", alertRoutes);
app.route("/", concurrencyLimitRoutes);
app.route("/", environmentRoutes);
app.route("/", hostRoutes);
app.route("/", developmentRoutes);
app.route("/", deploymentRoutes);
app.route("/", buildRoutes);
app.route("/", adminRoutes);
app.route("/", peopleRoutes);
app.route("/", organizationRoutes);
app.route("/", bulkActionRoutes);
app.route("/", envvarRoutes);
app.route("/", healthRoutes);
app.route("/", openApiRoutes);

app.notFound(async (c) => {
  const { pathname } = new URL(c.req.url);
  if (c.req.method === "GET" && !API.test(pathname)) return serveDashboard(c);
  await discardBody(c.req.raw);
  const failure = new Failure(
    404,
    "route_not_found",
    `There is no route ${c.req.method} ${pathname}. See /openapi.json.`,
  );
  return c.json(failure.body, failure.status);
});

app.onError(async (error, c) => {
  await discardBody(c.req.raw);
  const about = {
    method: c.req.method,
    // The route's pattern: addresses themselves hold signatures of callbacks.
    route: routePath(c, -1),
    environment: c.var.environment?.key,
    run: c.req.param("runId"),
  };
  if (error instanceof Failure) {
    log[error.status === 503 ? "warn" : "debug"]("A request was refused", {
      ...about,
      status: error.status,
      code: error.body.code,
    });
    return c.json(error.body, error.status, error.headers);
  }
  log.error("A request failed", { ...about, error });
  const failure = new Failure(
    500,
    "internal_error",
    "The server failed to answer. Nothing is known to have changed; try again.",
  );
  return c.json(failure.body, failure.status);
});
