import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export interface PostgresServer {
  /** The URL of a new, empty database. */
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** Where Debian puts it, newest version first. */
const installed = (): string | undefined =>
  existsSync("/usr/lib/postgresql")
    ? readdirSync("/usr/lib/postgresql")
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => `/usr/lib/postgresql/${version}/bin`)
        .find((folder) => existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb")))
    : undefined;

/**
 * Returns the folder of Postgres' programs, which are installed if they are missing. Throws if that fails.
 */
function programs(): string {
  const found = installed();
  if (found) return found;
  try {
    const options = { stdio: "pipe", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } } as const;
    execFileSync("apt-get", ["update", "-qq"], options);
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "postgresql"], options);
  } catch (error) {
    throw new Error(
      "These tests need a real Postgres, and installing it failed. Run scripts/setup-machine.sh as root",
      { cause: error },
    );
  }
  const now = installed();
  if (!now)
    throw new Error(
      "Postgres was installed, but /usr/lib/postgresql has no version with postgres and initdb",
    );
  return now;
}

/** Postgres refuses to run as root: then it is the user that its package made. */
function otherThanRoot(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: idOf("-u"), gid: idOf("-g") };
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });

/**
 * Starts a real server on a free port of loopback, with a data folder that `stop` removes. `fsync`: it flushes to disk, which
 * no test needs.
 */
export async function startPostgres({ fsync = false } = {}): Promise<PostgresServer> {
  const bin = programs();
  const user = otherThanRoot();
  const folder = mkdtempSync(join(tmpdir(), "acme-postgres-"));
  if (user) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "acme", "-A", "trust", "-E", "UTF8", "--no-sync"], {
    ...user,
    cwd: folder,
    stdio: "pipe",
  });
  const port = await freePort();
  const settings = [
    "listen_addresses=127.0.0.1",
    `unix_socket_directories=${folder}`,
    `fsync=${fsync ? "on" : "off"}`,
  ];
  const child = spawn(
    join(bin, "postgres"),
    ["-D", data, "-p", String(port), ...settings.flatMap((s) => ["-c", s])],
    {
      ...user,
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let output = "";
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const stop = async () => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + 30_000; ; await delay(50)) {
    if (spawnSync(join(bin, "pg_isready"), ["-h", "127.0.0.1", "-p", String(port)]).status === 0) break;
    if (child.exitCode === null && Date.now() < deadline) continue;
    await stop();
    throw new Error(`Postgres did not start:\n${output}`);
  }
  // A local Hyperdrive requires a password, although nothing checks it.
  return { url: `postgres://acme:unused@127.0.0.1:${port}/postgres`, pid: child.pid as number, stop };
}

/** SIGINT is Postgres' "fast shutdown": it ends sessions. */
const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGINT");
  });
