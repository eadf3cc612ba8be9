import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import type { Bindings } from "../src/bindings.ts";
import { appendTelemetry } from "../src/telemetry/append.ts";
import { EmbeddedStore } from "../src/telemetry/embedded-store.ts";
import { describeStore } from "./telemetry/store-suite.ts";

const bindings = env as unknown as Bindings;

describeStore("embedded", {
  store: () => new EmbeddedStore(bindings),
  append: (environment, batch) => appendTelemetry(bindings, environment, batch),
});

it("the embedded store says what a search over runs needs", async () => {
  await expect(new EmbeddedStore(bindings).searchLogs()).rejects.toMatchObject({
    status: 501,
    code: "needs_clickhouse",
  });
});
