import { join } from "node:path";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { workerOptions } from "../../test-worker.ts";
import { CONTROL_PLANE } from "./tests.ts";

const { main, miniflare } = workerOptions();

/** The tests of accounts and the control plane, with a real Postgres below. */
export default defineConfig({
  plugins: [
    cloudflareTest(({ inject }) => ({
      main,
      miniflare: { ...miniflare, hyperdrives: { HYPERDRIVE: inject("postgresUrl") } },
    })),
  ],
  test: {
    name: "control-postgres",
    root: join(import.meta.dirname, ".."),
    include: CONTROL_PLANE,
    globalSetup: [join(import.meta.dirname, "../storage/postgres-setup.ts")],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
