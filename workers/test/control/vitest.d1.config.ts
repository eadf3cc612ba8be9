import { join } from "node:path";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { workerOptions } from "../../test-worker.ts";
import { CONTROL_PLANE } from "./tests.ts";

const { main, miniflare } = workerOptions();
const MIGRATIONS = await readD1Migrations(join(import.meta.dirname, "../../migrations/sqlite"));

/** The tests of accounts and the control plane, with D1 below. */
export default defineConfig({
  plugins: [
    cloudflareTest({
      main,
      miniflare: { ...miniflare, d1Databases: ["DB"], bindings: { ...miniflare.bindings, MIGRATIONS } },
    }),
  ],
  test: {
    name: "control-d1",
    root: join(import.meta.dirname, ".."),
    include: CONTROL_PLANE,
    setupFiles: [join(import.meta.dirname, "migrate-d1.ts")],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
