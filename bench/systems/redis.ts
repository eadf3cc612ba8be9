import { spawnSync } from "node:child_process";
import { freePort } from "./free-port.ts";
import { endProcess, startProcess } from "./process.ts";

const INSTALL = ["install", "-y", "-qq", "--no-install-recommends", "redis-server"];

/** Installs Debian's Redis if there is none. @throws with a remedy */
function requireRedis(): void {
  if (spawnSync("redis-server", ["--version"]).status === 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = spawnSync("apt-get", INSTALL, { env, encoding: "utf8" });
  if (apt.status !== 0)
    throw new Error(
      `BullMQ needs redis-server, and apt-get could not install it:\n${apt.stdout}${apt.stderr}`,
    );
}

/** Starts Redis with an append-only file that is flushed before each answer. */
export async function startRedis(
  folder: string,
): Promise<{ port: number; pid: number; stop(): Promise<void> }> {
  requireRedis();
  const port = await freePort();
  const { child } = await startProcess(
    "redis-server",
    [
      ...["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"],
    ],
    { cwd: folder, ready: /Ready to accept connections/ },
  );
  return { port, pid: child.pid as number, stop: () => endProcess(child, "SIGTERM") };
}
