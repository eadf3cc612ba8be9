import { defineConfig } from "vitest/config";
import { PROCESS_FILES } from "./scripts/test/process-files.ts";

export default defineConfig({
  test: {
    name: "processes",
    root: import.meta.dirname,
    include: PROCESS_FILES,
    // A process that starts on a busy machine can take more than the default of 5 s.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
