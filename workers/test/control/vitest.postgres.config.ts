import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { workerOptions } from "../../test-worker.ts";
import { cloudflareTest } from "../outside/cloudflare-test.ts";
import { CONTROL_PLANE } from "./tests.ts";

/** The tests of accounts and the control plane, with a real Postgres below. */
export default defineConfig({
  plugins: [
    cloudflareTest(({ inject }) => {
      const { main, miniflare } = workerOptions(inject("outside"));
      return { main, miniflare: { ...miniflare, hyperdrives: { HYPERDRIVE: inject("postgresUrl") } } };
    }),
  ],
  test: {
    name: "control-postgres",
    root: join(import.meta.dirname, ".."),
    include: CONTROL_PLANE,
    globalSetup: [
      join(import.meta.dirname, "../outside/setup.ts"),
      join(import.meta.dirname, "../storage/postgres-setup.ts"),
    ],
    // An error of the driver itself, which continues to read from a connection that it closed because it was
    // idle.
    onUnhandledError: (error) => error.message !== "This socket has been closed.",
    // One workerd for all files, as in workers/vitest.config.ts.
    isolate: false,
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
