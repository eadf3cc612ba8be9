import { defineConfig } from "vitest/config";
import "./workers/test/outside/trust-certificate.ts";

/** For `npm test -- FILE` and editors. `npm test` starts each project, or each of its files, by its own configuration. */
export default defineConfig({
  test: {
    projects: [
      "vitest.unit.config.ts",
      "vitest.processes.config.ts",
      "durable-objects/vitest.config.ts",
      "workers/vitest.config.ts",
      "workers/test/control/vitest.d1.config.ts",
      "workers/test/control/vitest.postgres.config.ts",
      "workers/test/clickhouse/vitest.config.ts",
      "workers/test/storage/vitest.node.config.ts",
      "workers/test/storage/vitest.workerd.config.ts",
      "dashboard/vitest.config.ts",
      "tests/vitest.config.ts",
    ],
  },
});
