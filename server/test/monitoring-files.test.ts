import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const RULES = "deploy/grafana/acme-alerts.yml";

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

/** Names that the Worker and the hosts give their metrics. */
const known = [
  ...read("workers/src/health/server-metrics.ts").matchAll(/"(acme_[a-z0-9_]+)"/g),
  ...read("container-host/src/metrics.ts").matchAll(/"(acme_[a-z0-9_]+)"/g),
].map((match) => match[1] as string);

it.each([RULES, "deploy/grafana/acme-dashboard.json"])("%s asks only for metrics that are there", (path) => {
  const named = [...read(path).matchAll(/\bacme_[a-z0-9_]+/g)].map(([name]) => name.replace(/_bucket$/, ""));
  expect(named.length).toBeGreaterThan(4);
  for (const name of named) expect(known).toContain(name);
});

it("is a dashboard whose panels all have a query", () => {
  const { panels } = JSON.parse(read("deploy/grafana/acme-dashboard.json")) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  for (const { title, targets } of panels)
    expect([title, targets[0]?.expr]).toEqual([title, expect.any(String)]);
});

it.skipIf(!hasPromtool)("has rules that Prometheus takes (skipped where there is no promtool)", () => {
  const output = execFileSync("promtool", ["check", "rules", join(ROOT, RULES)], { encoding: "utf8" });
  expect(output).toMatch(/SUCCESS: 5 rules found/);
});
