import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { workerOptions } from "./test-worker.ts";

export default defineConfig({
  plugins: [cloudflareTest(({ inject }) => workerOptions(inject("outside")))],
  test: {
    name: "worker",
    root: import.meta.dirname,
    include: ["test/*.test.ts"],
    globalSetup: ["./test/outside/setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
