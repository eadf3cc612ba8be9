/**
 * `npm run deploy [-- --dry-run] [-- arguments of wrangler deploy]`: builds the dashboard, migrates the query
 * side (D1, or Postgres at DATABASE_URL if wrangler.toml binds HYPERDRIVE) and deploys the Worker with its
 * objects to Cloudflare. With --dry-run it runs the steps that need no account and no network. Stops at the
 * first step that fails.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "smol-toml";
import { deploySteps } from "./deploy-steps.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);

const PROGRAMS = {
  npm: ["npm"],
  node: [process.execPath],
  wrangler: [process.execPath, join(root, "node_modules/wrangler/bin/wrangler.js")],
};

function hasDashboard() {
  const path = join(root, "dashboard/package.json");
  return existsSync(path) && JSON.parse(readFileSync(path, "utf8")).scripts?.build !== undefined;
}

try {
  const config = parse(readFileSync(join(root, "wrangler.toml"), "utf8"));
  const steps = deploySteps({
    config,
    dashboard: hasDashboard(),
    dryRun: args.includes("--dry-run"),
    databaseUrl: process.env.DATABASE_URL,
    wranglerArgs: args.filter((arg) => arg !== "--dry-run"),
  });
  for (const step of steps) {
    console.log(`\n${step.title}…`);
    const [program, ...fixed] = PROGRAMS[step.program];
    const result = spawnSync(program, [...fixed, ...step.args], {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
    });
    if (result.error) throw result.error;
    if (result.status !== 0)
      throw new Error(`It ended with code ${result.status ?? result.signal}; the steps before it are done.`);
  }
} catch (error) {
  console.error(`\nNot deployed: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
