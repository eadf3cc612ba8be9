import { defineConfig } from "vitest/config";

/** Storage tests that run in Node: Postgres, and pure functions. */
export default defineConfig({
  test: {
    name: "storage-node",
    root: import.meta.dirname,
    include: ["*.node.spec.ts"],
    globalSetup: ["./postgres-setup.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
