import { defineConfig } from "vitest/config";
import { workerOptions } from "../../test-worker.ts";
import { cloudflareTest } from "../outside/cloudflare-test.ts";

/** The whole Worker with a real ClickHouse. */
export default defineConfig({
  plugins: [
    cloudflareTest(({ inject }) => {
      const options = workerOptions(inject("outside"));
      const bindings = { ...options.miniflare.bindings, CLICKHOUSE_URL: inject("clickhouseUrl") };
      return { ...options, miniflare: { ...options.miniflare, bindings } };
    }),
  ],
  test: {
    name: "clickhouse",
    root: import.meta.dirname,
    include: ["*.test.ts"],
    globalSetup: ["../outside/setup.ts", "./setup.ts"],
    // See the project "worker".
    isolate: false,
    maxWorkers: 1,
    // The first test that uses an object loads the whole Worker.
    testTimeout: 90_000,
    hookTimeout: 90_000,
  },
});
