import { env } from "cloudflare:workers";
import type { Bindings } from "../../src/bindings.ts";
import { appendTelemetry } from "../../src/telemetry/append.ts";
import { openTelemetryStore } from "../../src/telemetry/store.ts";
import { describeStore } from "../telemetry/store-suite.ts";

const bindings = env as unknown as Bindings;

describeStore("ClickHouse", {
  store: () => openTelemetryStore(bindings),
  append: (environment, batch) => appendTelemetry(bindings, environment, batch),
});
