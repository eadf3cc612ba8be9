import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Miniflare reads this file when it is loaded: the Worker of the tests trusts the tests' own mail servers. */
function trustCertificate(path: string): void {
  const { NODE_EXTRA_CA_CERTS: others } = process.env;
  const certificates = [...(others ? [others] : []), path].map((each) => readFileSync(each, "utf8"));
  const all = join(mkdtempSync(join(tmpdir(), "acme-certificates-")), "trusted.pem");
  writeFileSync(all, certificates.join("\n"));
  process.env.NODE_EXTRA_CA_CERTS = all;
}
trustCertificate(join(import.meta.dirname, "workers/test/outside/localhost-certificate.pem"));

const PACKAGES = ["sdk", "durable-objects", "workers", "container-host", "cli", "server", "dashboard"];
/** Packages whose tests need another environment than Node (workerd, a browser) configure it themselves. */
const configured = PACKAGES.map((name) => `${name}/vitest.config.ts`).filter((path) =>
  existsSync(new URL(path, import.meta.url)),
);
const plain = PACKAGES.filter((name) => !configured.includes(`${name}/vitest.config.ts`));

/** Tests of one package that start real processes or containers. All others of the plain packages are unit tests. */
const STARTS_PROCESSES = [
  "cli/test/build-project.test.ts",
  "container-host/test/{checkpoints,credentials,docker,host,main,suspension,die-with-parent,probe-criu}*.test.ts",
  "sdk/test/{durable,runtime,indexer}*.test.ts",
  "server/test/part.test.ts",
];

export default defineConfig({
  test: {
    projects: [
      ...configured,
      "workers/test/control/vitest.d1.config.ts",
      "workers/test/control/vitest.postgres.config.ts",
      "workers/test/storage/vitest.node.config.ts",
      "workers/test/storage/vitest.workerd.config.ts",
      {
        test: {
          name: "unit",
          include: [...plain.map((name) => `${name}/test/**/*.test.ts`), "scripts/test/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...STARTS_PROCESSES],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "processes",
          include: STARTS_PROCESSES,
          // A process that starts on a busy machine can take more than the default of 5 s.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["tests/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each file starts servers of its own: a small machine bears two at a time.
          maxWorkers: 2,
        },
      },
    ],
  },
});
