import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { firstSeedOfCommit } from "../tests/support/commit-seed.ts";
import type { Outside } from "./test/outside/setup.ts";

const object = (className: string) => ({ className, useSQLite: true });

/**
 * The whole Worker in workerd, with its own objects, and `outside` as what it can talk to. Without another database, the
 * query side is the database object.
 */
export const workerOptions = (outside: Outside) => ({
  main: join(import.meta.dirname, "src/index.ts"),
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
      LIMITER: object("LimiterObject"),
      BULK_ACTION: object("BulkActionObject"),
      DELETION: object("ProjectDeletionObject"),
      ALERTS: object("AlertsObject"),
      ARTIFACTS: object("ArtifactsObject"),
      USER: object("UserObject"),
      MONITOR: object("MonitorObject"),
      DATABASE: object("DatabaseObject"),
    },
    serviceBindings: {
      BLOBS: { disk: { path: mkdtempSync(join(tmpdir(), "acme-blobs-")), writable: true } },
    },
    bindings: {
      HOST_TOKEN: "host-token-of-the-tests",
      ADMIN_TOKEN: "admin-token-of-the-tests",
      METRICS_TOKEN: "metrics-token-of-the-tests",
      SIGNING_KEY: "signing-key-of-the-tests",
      ENCRYPTION_KEYS: "k1:encryption-key-of-the-tests",
      OUTSIDE: JSON.stringify(outside),
      GITHUB_CLIENT_ID: "github-client",
      GITHUB_CLIENT_SECRET: "github-secret",
      GITHUB_URL: `${outside.providers}/github`,
      GOOGLE_CLIENT_ID: "oidc-client",
      GOOGLE_CLIENT_SECRET: "oidc-secret",
      GOOGLE_ISSUER: `${outside.providers}/oidc`,
      OIDC_ISSUER: `${outside.providers}/oidc/`,
      OIDC_CLIENT_ID: "oidc-client",
      OIDC_CLIENT_SECRET: "oidc-secret",
      OIDC_NAME: "Okta",
      API_RATE_LIMIT: "300,100",
      ALERT_NETWORKS: "public,local",
      CLIENT_ADDRESS_HEADER: "x-test-address",
      FUZZ_SEED: process.env.FUZZ_SEED || String(firstSeedOfCommit().from),
      FUZZ_ROUNDS: process.env.FUZZ_ROUNDS ?? "",
    },
  },
});
