import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { type DeployOptions, deploySteps } from "../../../scripts/deploy-steps.ts";

const ROOT = join(import.meta.dirname, "../../..");
const D1 = { d1_databases: [{ binding: "DB", database_name: "acme", database_id: "1b2c" }] };

const options = (given: Partial<DeployOptions> = {}): DeployOptions => ({
  config: D1,
  dashboard: false,
  dryRun: false,
  databaseUrl: undefined,
  wranglerArgs: [],
  ...given,
});
const lines = (given: Partial<DeployOptions>) =>
  deploySteps(options(given)).map(({ program, args }) => `${program} ${args.join(" ")}`);

describe("deploySteps", () => {
  it("builds, migrates D1 and deploys, in this order", () => {
    expect(lines({ dashboard: true })).toEqual([
      "node scripts/migrate-generate.mjs --check",
      "npm run build --workspace dashboard",
      "wrangler d1 migrations apply DB --remote",
      "wrangler deploy",
    ]);
  });

  it("migrates Postgres where Hyperdrive is bound", () => {
    const config = { ...D1, hyperdrive: [{ binding: "HYPERDRIVE" }] };
    expect(lines({ config, databaseUrl: "postgres://" })).toContain("node scripts/migrate-postgres.mjs");
    expect(() => deploySteps(options({ config }))).toThrow("Set DATABASE_URL");
  });

  it("migrates nothing where the database object is the query side", () => {
    expect(lines({ config: {} })).toEqual(["node scripts/migrate-generate.mjs --check", "wrangler deploy"]);
  });

  it("only bundles in a dry run", () => {
    const expected = ["node scripts/migrate-generate.mjs --check", "wrangler deploy --dry-run"];
    expect(lines({ dryRun: true })).toEqual(expected);
    expect(lines({ dryRun: true, config: { hyperdrive: [{ binding: "HYPERDRIVE" }] } })).toEqual(expected);
  });

  it("says how to create a D1 database if wrangler.toml has none", () => {
    const d1_databases = [
      { binding: "DB", database_name: "acme", database_id: "00000000-0000-0000-0000-000000000000" },
    ];
    expect(() => deploySteps(options({ config: { d1_databases } }))).toThrow("npx wrangler d1 create acme");
  });

  it.each([[["--env", "staging"]], [["-e", "staging"]], [["--env=staging"]]])(
    "deploys an environment: %j",
    (wranglerArgs) => {
      const config = { env: { staging: D1 } };
      expect(lines({ config, wranglerArgs }).slice(1)).toEqual([
        "wrangler d1 migrations apply DB --remote --env staging",
        `wrangler deploy ${wranglerArgs.join(" ")}`,
      ]);
      expect(() => deploySteps(options({ wranglerArgs }))).toThrow('no environment "staging"');
    },
  );
});

describe("the scripts", () => {
  const script = (name: string, ...args: string[]) =>
    spawnSync(process.execPath, [join(ROOT, "scripts", name), ...args], {
      cwd: tmpdir(),
      encoding: "utf8",
      env: { ...process.env, DATABASE_URL: undefined },
    });

  it("deploy.mjs says why it can't, and does nothing", () => {
    const result = script("deploy.mjs", "--env", "never-made");
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('Not deployed: wrangler.toml has no environment "never-made"');
    expect(result.stdout).toBe("");
  });

  it("migrate-postgres.mjs requires a URL", () => {
    const result = script("migrate-postgres.mjs");
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("Name the database");
  });

  it("migrate-postgres.mjs says why it can't", () => {
    const result = script(
      "migrate-postgres.mjs",
      inject("postgresUrl").replace(/\/postgres$/, "/no_such_database"),
    );
    expect(result.status).toBe(1);
    expect(result.stderr).toContain('database "no_such_database" does not exist');
  });

  it("wrangler applies the migrations to D1", () => {
    const folder = mkdtempSync(join(tmpdir(), "acme-d1-"));
    const wrangler = (...args: string[]) =>
      execFileSync(
        process.execPath,
        [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), ...args, "--local", "--persist-to", folder],
        {
          cwd: ROOT,
          encoding: "utf8",
          stdio: "pipe",
          env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false" },
        },
      );
    try {
      expect(wrangler("d1", "migrations", "apply", "DB")).toContain("0000_start.sql");
      const answer = wrangler(
        "d1",
        "execute",
        "DB",
        "--json",
        "--command",
        "SELECT count(*) AS runs FROM runs",
      );
      expect(JSON.parse(answer)).toMatchObject([{ success: true, results: [{ runs: 0 }] }]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
