import { join } from "node:path";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const object = (className: string) => ({ className, useSQLite: true });

/** The objects in workerd: storage, alarms and evictions are the real ones; the query side is a list in memory. */
export default defineConfig({
  plugins: [
    cloudflareTest({
      main: join(import.meta.dirname, "test/worker.ts"),
      miniflare: {
        compatibilityDate: "2026-11-02",
        compatibilityFlags: ["nodejs_compat"],
        durableObjects: {
          QUEUE: object("QueueObject"),
          ENVIRONMENT: object("EnvironmentObject"),
          DISPATCHER: object("DispatcherObject"),
          FEED: object("FeedObject"),
          WAITPOINT: object("WaitpointObject"),
          BATCH: object("BatchObject"),
          LIVE: object("LiveObject"),
        },
      },
    }),
  ],
  test: {
    name: "objects",
    root: import.meta.dirname,
    include: ["test/**/*.test.ts"],
    // One workerd for all files: starting one takes longer than most files do. Each test has objects of its own.
    isolate: false,
    maxWorkers: 1,
    testTimeout: 30_000,
  },
});
