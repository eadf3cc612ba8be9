import { env } from "cloudflare:workers";
import { appendTelemetry } from "../../src/telemetry/append.ts";
import { openTelemetryStore } from "../../src/telemetry/store.ts";
import { describeStore } from "../telemetry/store-suite.ts";

describeStore("ClickHouse", {
  store: () => openTelemetryStore(env),
  append: (environment, batch) => appendTelemetry(env, environment, batch),
});
