import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { workerOptions } from "../../test-worker.ts";
import { cloudflareTest, readD1Migrations } from "../outside/cloudflare-test.ts";
import { CONTROL_PLANE } from "./tests.ts";

const MIGRATIONS = await readD1Migrations(join(import.meta.dirname, "../../migrations/sqlite"));

/** The tests of accounts and the control plane, with D1 below. */
export default defineConfig({
  plugins: [
    cloudflareTest(({ inject }) => {
      const { main, miniflare } = workerOptions(inject("outside"));
      const bindings = { ...miniflare.bindings, MIGRATIONS };
      return { main, miniflare: { ...miniflare, d1Databases: ["DB"], bindings } };
    }),
  ],
  test: {
    name: "control-d1",
    root: join(import.meta.dirname, ".."),
    include: CONTROL_PLANE,
    globalSetup: [join(import.meta.dirname, "../outside/setup.ts")],
    setupFiles: [join(import.meta.dirname, "migrate-d1.ts")],
    // One workerd for all files, as in workers/vitest.config.ts.
    isolate: false,
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
