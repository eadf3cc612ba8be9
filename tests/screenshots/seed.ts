import { createHash } from "node:crypto";
import type { Dashboard } from "../support/dashboard.ts";
import { deployTaskFile } from "../support/deploy-task.ts";
import { eventually } from "../support/eventually.ts";
import { SHOP_LATER } from "./shop.ts";

const CUSTOMERS = ["ada@example.com", "grace@example.com", "alan@example.com", "edsger@example.com"];
const TEMPLATES = ["welcome", "receipt", "shipped", "password-reset"];
const BUILD_LOG = [
  "#1 [internal] load build definition from Dockerfile",
  "#2 [internal] load metadata for docker.io/library/node:24-slim",
  "#5 [2/6] WORKDIR /app",
  "#6 [3/6] COPY package.json package-lock.json ./",
  "#7 [4/6] RUN npm ci --omit=dev",
  "#7 4.210 npm error code E404",
  "#7 4.212 npm error 404 Not Found - GET https://registry.npmjs.org/@shop%2fpdf - Not found",
  "#7 4.214 npm error 404  '@shop/pdf@2.1.0' is not in this registry.",
  '#7 ERROR: process "/bin/sh -c npm ci --omit=dev" did not complete successfully: exit code: 1',
];

/** Ids in the seeded environment with which pages are opened. */
export interface Seeded {
  published: string;
  failed: string;
  executing: string;
  waiting: string;
  queued: string;
}

/**
 * Fills production with the data of a shop after some hours: runs in every state, and something on every
 * page.
 */
export async function seed(dashboard: Dashboard): Promise<Seeded> {
  const { api, trigger, page, server } = dashboard;
  const { apiUrl, projectRef } = server;
  const me = (await (await page.request.get(`${apiUrl}/api/v1/me`)).json()) as {
    organizations: { projects: { environments: { id: string; slug: string }[] }[] }[];
  };
  const environments = me.organizations.flatMap(({ projects }) => projects.flatMap((p) => p.environments));
  const production = environments.find(({ slug }) => slug === "prod")?.id ?? "";
  /** As the owner who is signed in. */
  const asOwner = async <T>(method: string, path: string, data?: unknown): Promise<T> => {
    const headers = { "x-acme-environment": production, origin: apiUrl };
    const response = await page.request.fetch(`${apiUrl}${path}`, { method, headers, data });
    if (!response.ok()) throw new Error(`${method} ${path}: ${response.status()} ${await response.text()}`);
    return (await response.json()) as T;
  };

  // Organization, people, keys, variables.
  await asOwner("PUT", "/api/v1/organizations/default", { name: "Corner Shop" });
  for (const [email, role] of [
    ["grace@example.com", "admin"],
    ["alan@example.com", "developer"],
    ["edsger@example.com", "viewer"],
  ])
    await asOwner("POST", "/api/v1/organizations/default/invitations", { email, role });
  const keys = `/api/v1/projects/${projectRef}/prod/keys`;
  await asOwner("POST", keys, { name: "Web server", expiresInSeconds: null });
  await asOwner("POST", keys, { name: "Nightly import", expiresInSeconds: 30 * 86_400 });
  // Staging stays empty: it has the empty pages.
  const create = `/api/v1/projects/${projectRef}/environments`;
  for (const type of ["staging", "dev"]) await asOwner("POST", create, { type });
  const variables = (slug: string) => `/api/v1/projects/${projectRef}/envvars/${slug}/import`;
  await asOwner("POST", variables("prod"), {
    variables: { SHOP_URL: "https://shop.example.com", LOG_LEVEL: "info", REGION: "eu-central-1" },
  });
  await asOwner("POST", variables("prod"), {
    variables: { STRIPE_SECRET_KEY: "sk_live_1", SMTP_PASSWORD: "hunter2" },
    isSecret: true,
  });
  await asOwner("POST", variables("dev"), {
    variables: { SHOP_URL: "https://staging.shop.example.com", LOG_LEVEL: "debug" },
  });

  // Alert rules are created before the failures that trigger them.
  const channel = await asOwner<{ id: string }>("POST", "/api/v1/alerts/channels", {
    type: "webhook",
    name: "On call",
    url: "https://alerts.example.invalid/hook",
  });
  await asOwner("POST", "/api/v1/alerts/channels", {
    type: "slack",
    name: "Slack #shop",
    url: "https://hooks.slack.example.invalid/services/1",
  });
  const rules = [
    {
      name: "Payments fail",
      condition: { type: "run_failed", tasks: ["charge-card"], threshold: { percent: 5, windowMinutes: 15 } },
    },
    { name: "New errors", condition: { type: "error" } },
    { name: "Mail is late", condition: { type: "queue", queues: ["mail"], delaySeconds: 120 } },
    { name: "Broken builds", condition: { type: "deployment_failed" } },
  ];
  for (const rule of rules)
    await asOwner("POST", "/api/v1/alerts/rules", {
      ...rule,
      channels: [channel.id],
      enabled: rule.name !== "Mail is late",
    });

  // Runs of the first version.
  const published = await trigger(
    "publish-product",
    { product: "Walnut desk", widths: [320, 640, 960, 1280, 1920] },
    { tags: ["product:walnut-desk"] },
  );
  for (let n = 0; n < 3; n++) {
    await api("POST", "/api/v2/tasks/batch", {
      items: Array.from({ length: 25 }, (_, i) => ({
        task: "send-email",
        payload: { to: CUSTOMERS[i % 4], template: TEMPLATES[(i + n) % 4] },
        options: { tags: [`customer:${CUSTOMERS[i % 4]?.split("@")[0]}`] },
      })),
    });
  }
  const charges = Array.from({ length: 24 }, (_, n) => ({ order: `10${40 + n}`, amount: (n * 137) % 980 }));
  for (const charge of charges) await trigger("charge-card", charge, { tags: [`order:${charge.order}`] });
  await trigger("export-orders", {});
  const waiting = await trigger("refund-order", { order: "1041", amount: 120 }, { tags: ["order:1041"] });
  await trigger("refund-order", { order: "1057", amount: 34.5 }, { tags: ["order:1057"] });
  await trigger("refund-order", { order: "1063", amount: 890 }, { tags: ["order:1063"] });
  const over = async (status: string) =>
    (await api<{ data: unknown[] }>("GET", `/api/v1/runs?filter[status]=${status}&page[size]=1`)).data
      .length > 0;
  await eventually("an export timed out", () => over("TIMED_OUT"), 120_000);
  await eventually(
    "the product is published",
    async () => (await api<{ isCompleted: boolean }>("GET", `/api/v3/runs/${published}`)).isCompleted,
    120_000,
  );

  // A version whose build failed, one that is being built, and a later one.
  const source = "export {};";
  const contentHash = createHash("sha256").update(source).digest("hex");
  await fetch(`${apiUrl}/api/v1/projects/${projectRef}/prod/bundles/${contentHash}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${server.accessToken}`, "content-type": "text/javascript" },
    body: source,
  });
  const begin = () =>
    api<{ id: string }>("POST", "/api/v1/deployments", {
      contentHash,
      manifest: { tasks: [{ id: "send-email", filePath: "trigger/tasks.ts" }] },
      imageRepository: `registry.example.com/shop/${projectRef}`,
    });
  const { id: broken } = await begin();
  await api("POST", `/api/v1/deployments/${broken}/build-log`, {
    batch: { sender: "cli", number: 0 },
    lines: BUILD_LOG.map((text, n) => ({ time: Date.now() + n * 900, text })),
  });
  await api("POST", `/api/v1/deployments/${broken}/fail`, {
    error: { message: "npm ci ended with code 1: @shop/pdf@2.1.0 is not in the registry" },
  });
  await deployTaskFile(server, SHOP_LATER);

  // Runs that are in progress.
  const executing = await trigger("import-catalog", { supplier: "Oak & Sons" }, { tags: ["supplier:oak"] });
  await trigger(
    "send-email",
    { to: "ada@example.com", template: "reminder" },
    { delay: "2d", tags: ["customer:ada"] },
  );
  const canceled = await trigger(
    "send-email",
    { to: "alan@example.com", template: "welcome" },
    { delay: "1h" },
  );
  await api("POST", `/api/v2/runs/${canceled}/cancel`, {});
  await api("POST", "/api/v1/queues/mail/pause", { type: "custom", action: "pause" });
  const queued = await trigger(
    "send-email",
    { to: "grace@example.com", template: "receipt" },
    { tags: ["customer:grace"] },
  );
  for (const to of CUSTOMERS) await trigger("send-email", { to, template: "shipped" });
  await api("POST", "/api/v1/queues/task%2Fresize-image/concurrency/override", { concurrencyLimit: 4 }).catch(
    () => {},
  );
  await api("POST", "/api/v1/schedules", {
    task: "nightly-report",
    cron: "0 8 * * 1-5",
    timezone: "America/New_York",
    externalId: "shop-us",
    deduplicationKey: "us",
  });
  const paused = await api<{ id: string }>("POST", "/api/v1/schedules", {
    task: "nightly-report",
    cron: "*/15 * * * *",
    timezone: "UTC",
    deduplicationKey: "quarter",
  });
  await api("POST", `/api/v1/schedules/${paused.id}/deactivate`, {});
  await api("POST", "/api/v1/bulk-actions", {
    action: "replay",
    name: "Retry declined cards",
    filter: { status: ["FAILED"], taskIdentifier: ["charge-card"] },
  });
  const found = await eventually(
    "a run failed",
    async () => {
      const { data } = await api<{ data: { id: string }[] }>(
        "GET",
        "/api/v1/runs?filter[status]=FAILED&page[size]=1",
      );
      return data[0]?.id;
    },
    120_000,
  );
  return { published, failed: found, executing, waiting, queued };
}
