import { existsSync } from "node:fs";
import { defineConfig } from "vitest/config";

const PACKAGES = ["sdk", "durable-objects", "workers", "container-host", "cli", "server", "dashboard"];
/** Packages whose tests need another environment than Node (workerd, a browser) configure it themselves. */
const configured = PACKAGES.map((name) => `${name}/vitest.config.ts`).filter((path) =>
  existsSync(new URL(path, import.meta.url)),
);
const plain = PACKAGES.filter((name) => !configured.includes(`${name}/vitest.config.ts`));

export default defineConfig({
  test: {
    projects: [
      ...configured,
      "workers/test/storage/vitest.node.config.ts",
      "workers/test/storage/vitest.workerd.config.ts",
      {
        test: {
          name: "node",
          include: plain.map((name) => `${name}/test/**/*.test.ts`),
          // Many of them start processes: on a busy machine the default of 5 s is not much.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["tests/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each file starts servers of its own: two at a time are what a small machine bears.
          maxWorkers: 2,
        },
      },
    ],
  },
});
