import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const RULES = "deploy/grafana/acme-alerts.yml";

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

it("is a dashboard whose panels all have a query", () => {
  const { panels } = JSON.parse(read("deploy/grafana/acme-dashboard.json")) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  for (const { title, targets } of panels)
    expect([title, targets[0]?.expr]).toEqual([title, expect.any(String)]);
});

/**
 * Without promtool this would pass without checking anything. CI has it (scripts/setup-machine.sh), and says
 * so.
 */
it.skipIf(!hasPromtool && process.env.ACME_REQUIRE_DOCKER !== "1")(
  "has rules that Prometheus takes (skipped where there is no promtool)",
  () => {
    const output = execFileSync("promtool", ["check", "rules", join(ROOT, RULES)], { encoding: "utf8" });
    expect(output).toMatch(/SUCCESS: 9 rules found/);
  },
);

it.skipIf(!hasPromtool && process.env.ACME_REQUIRE_DOCKER !== "1")(
  "has rules that each fire where something is wrong, and of which none does where all is well",
  () => {
    const series = join(import.meta.dirname, "fixtures/acme-alerts.test.yml");
    const output = execFileSync("promtool", ["test", "rules", series], { encoding: "utf8" });
    expect(output).toContain("SUCCESS");
  },
);
