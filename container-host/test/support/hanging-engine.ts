import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../../tests/support/eventually.ts";

export interface HangingEngine {
  /** For DOCKER_HOST. */
  url: string;
  /** Makes CRIU stop for ever while it holds the processes of a container, or work again. */
  hang(on: boolean): void;
  /** Pids of each CRIU that was stopped. */
  stopped(): number[];
  stop(): Promise<void>;
}

/**
 * The real CRIU. As soon as a process is traced by it (it is being saved, or was just restored), it is stopped and never
 * answers again, as on machines whose breakpoints do not arrive.
 */
const CRIU = (folder: string, criu: string) => `#!/bin/sh
${criu} "$@" &
criu=$!
while [ -e ${folder}/hang ] && kill -0 $criu 2>/dev/null; do
  if grep -qs "^TracerPid:.$criu\\$" /proc/[0-9]*/status; then
    kill -STOP $criu
    echo $criu >>${folder}/stopped
    break
  fi
done
wait $criu
`;

/** Whether this machine can run a Docker Engine of the test's own. */
export const canStartEngine = (): boolean =>
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  spawnSync("sh", ["-c", "command -v dockerd criu"], { stdio: "ignore" }).status === 0;

/** A Docker Engine of its own, beside the machine's, whose CRIU hangs on demand. */
export async function startHangingEngine(): Promise<HangingEngine> {
  const folder = mkdtempSync(join(tmpdir(), "acme-engine-"));
  const bin = join(folder, "bin");
  mkdirSync(bin);
  const criu = spawnSync("sh", ["-c", "command -v criu"], { encoding: "utf8" }).stdout.trim();
  writeFileSync(join(bin, "criu"), CRIU(folder, criu));
  chmodSync(join(bin, "criu"), 0o755);
  const url = `unix://${folder}/docker.sock`;
  // A range of addresses that other engines and tests don't use; rules of the firewall stay as they are.
  const range = `10.${100 + (process.pid % 100)}.0.0/16`;
  const daemon = spawn(
    "dockerd",
    [
      ...["--experimental", "--iptables=false", "--ip6tables=false", "--bridge=none"],
      ...["--default-address-pool", `base=${range},size=24`],
      ...["--data-root", join(folder, "data"), "--exec-root", join(folder, "exec")],
      ...["--pidfile", join(folder, "docker.pid"), "-H", url],
    ],
    { env: { ...process.env, PATH: `${bin}:${process.env.PATH}` }, stdio: "ignore" },
  );
  const answers = () => spawnSync("docker", ["-H", url, "info"], { stdio: "ignore" }).status === 0;
  try {
    await eventually("the engine answers", answers);
  } catch (error) {
    await end(daemon, folder);
    throw error;
  }
  return {
    url,
    hang(on) {
      if (on) writeFileSync(join(folder, "hang"), "");
      else rmSync(join(folder, "hang"), { force: true });
    },
    stopped() {
      try {
        return readFileSync(join(folder, "stopped"), "utf8").trim().split("\n").map(Number);
      } catch {
        return [];
      }
    },
    async stop() {
      spawnSync("docker", ["-H", url, "network", "rm", "acme-runs"], { stdio: "ignore" });
      await end(daemon, folder);
    },
  };
}

async function end(daemon: ChildProcess, folder: string): Promise<void> {
  const exited = new Promise((resolve) => daemon.once("exit", resolve));
  if (daemon.exitCode === null) {
    daemon.kill("SIGTERM");
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
}
