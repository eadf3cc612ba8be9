/**
 * wrangler runs this before it bundles (wrangler.toml, [build]), so that `wrangler deploy --dry-run` and
 * `wrangler dev` work in a fresh clone: it builds the dashboard when its sources changed, and creates the
 * secrets and the migrated database that local development needs. Existing files are kept.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function writeSecrets(path) {
  const secrets = ["HOST_TOKEN", "ADMIN_TOKEN", "METRICS_TOKEN", "SIGNING_KEY"];
  const encryption = `ENCRYPTION_KEYS=k1:${randomBytes(32).toString("base64url")}\n`;
  const lines = secrets.map((name) => `${name}=${randomBytes(32).toString("base64url")}\n`);
  writeFileSync(path, lines.join("") + encryption, { mode: 0o600 });
}

function migrateLocalDatabase() {
  const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");
  const args = [wrangler, "d1", "migrations", "apply", "DB", "--local"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    // Without a terminal wrangler asks no questions.
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  if (status !== 0) throw new Error(`The local D1 database could not be migrated:\n${stdout}${stderr}`);
}

const built = spawnSync(process.execPath, [join(root, "dashboard/build.mjs")], { stdio: "inherit" });
if (built.status !== 0) process.exit(built.status ?? 1);
if (process.env.WRANGLER_COMMAND === "dev") {
  const secrets = join(root, ".dev.vars");
  if (!existsSync(secrets)) writeSecrets(secrets);
  migrateLocalDatabase();
}
