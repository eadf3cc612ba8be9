import { defineConfig } from "vitest/config";
import { cloudflareTest } from "./test/outside/cloudflare-test.ts";
import { workerOptions } from "./test-worker.ts";

export default defineConfig({
  plugins: [cloudflareTest(({ inject }) => workerOptions(inject("outside")))],
  test: {
    name: "worker",
    root: import.meta.dirname,
    include: ["test/*.test.ts"],
    globalSetup: ["./test/outside/setup.ts"],
    // One workerd for all files: starting one and loading the Worker takes longer than most files do. So they share the
    // objects, and each file works in projects of its own.
    isolate: false,
    maxWorkers: 1,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
