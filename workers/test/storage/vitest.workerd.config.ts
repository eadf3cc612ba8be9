import { join } from "node:path";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const MIGRATIONS = await readD1Migrations(join(import.meta.dirname, "../../migrations/sqlite"));

/** Storage tests that run in workerd: D1, the database object, Postgres through Hyperdrive, R2 and the disk service. */
export default defineConfig({
  plugins: [
    cloudflareTest(({ inject }) => ({
      main: join(import.meta.dirname, "worker.ts"),
      miniflare: {
        compatibilityDate: "2026-11-02",
        compatibilityFlags: ["nodejs_compat"],
        d1Databases: ["DB", "EMPTY_DB"],
        r2Buckets: ["BUNDLES"],
        durableObjects: { DATABASE: { className: "DatabaseObject", useSQLite: true } },
        hyperdrives: { HYPERDRIVE: inject("postgresUrl") },
        serviceBindings: {
          BLOBS: { disk: { path: inject("blobsFolder"), writable: true } },
        },
        bindings: { MIGRATIONS },
      },
    })),
  ],
  test: {
    name: "storage-workerd",
    root: import.meta.dirname,
    include: ["*.workerd.spec.ts"],
    globalSetup: ["./postgres-setup.ts", "./blobs-setup.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
