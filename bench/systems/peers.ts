import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The systems that Acme is compared with. The bench installs them here; they are not a dependency of
 * anything.
 */
const PEERS = {
  "@restatedev/restate-server": "1.7.12",
  "@restatedev/restate-sdk": "1.17.2",
  bullmq: "6.7.0",
  // BullMQ's client of Redis, a package that its users install.
  ioredis: "6.0.0",
  "graphile-worker": "0.18.0",
} as const;
const FOLDER = fileURLToPath(new URL("../.peers/", import.meta.url));

/** Installs the peers from npm into `bench/.peers` where they are missing. @throws with npm's output */
export function installPeers(): void {
  const missing = Object.entries(PEERS).filter(([name, version]) => {
    const file = join(FOLDER, "node_modules", name, "package.json");
    return !existsSync(file) || JSON.parse(readFileSync(file, "utf8")).version !== version;
  });
  if (missing.length === 0) return;
  console.error(`Installing ${missing.map((peer) => peer.join("@")).join(", ")} for the comparison…`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "package.json"), '{ "name": "bench-peers", "private": true }\n');
  const packages = Object.entries(PEERS).map((peer) => peer.join("@"));
  const npm = spawnSync(
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "-E", ...packages],
    {
      cwd: FOLDER,
      encoding: "utf8",
    },
  );
  if (npm.status !== 0) throw new Error(`npm could not install the peers:\n${npm.stdout}${npm.stderr}`);
}

/** The path of a file of a peer, such as `@restatedev/restate-sdk`. */
export const resolvePeer = (specifier: string): string =>
  createRequire(join(FOLDER, "package.json")).resolve(specifier);

/** Restate's server for this machine: the package with the binary is an optional dependency named after it. */
export const restateServer = (): string =>
  join(
    FOLDER,
    `node_modules/@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`,
  );
