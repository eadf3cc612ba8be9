import { defineConfig } from "vitest/config";
import { PROCESS_FILES } from "./scripts/test/process-files.ts";

/** Decisions of the packages that need no other environment than Node: no process is started. */
export default defineConfig({
  test: {
    name: "unit",
    root: import.meta.dirname,
    include: ["{sdk,container-host,cli,server,scripts}/test/**/*.test.ts"],
    exclude: ["**/node_modules/**", ...PROCESS_FILES],
    testTimeout: 30_000,
  },
});
