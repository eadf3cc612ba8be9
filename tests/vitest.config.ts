import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    name: "e2e",
    root: join(import.meta.dirname, ".."),
    include: ["tests/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Each file starts its own servers, and a small machine can run two at a time.
    maxWorkers: 2,
  },
});
