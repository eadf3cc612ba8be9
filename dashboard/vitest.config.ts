import { defineConfig } from "vitest/config";

/** Tests of what needs no browser. Their files are compiled with a configuration that SvelteKit writes as it builds. */
export default defineConfig({
  test: {
    name: "dashboard",
    root: import.meta.dirname,
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/build.mjs"],
    testTimeout: 30_000,
  },
});
