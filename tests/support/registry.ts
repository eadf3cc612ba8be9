import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";

/** The user "acme" with the password "secret", as htpasswd writes it. */
const USERS = "acme:$2b$12$Ods3mlKnGdDR8aovKamKU.keX5QuPGq//hobidET.XQfZ2VqgBVva\n";

export interface Registry {
  /** `127.0.0.1:PORT`: the Engine speaks plain HTTP to a loopback address. */
  address: string;
  /** A folder for DOCKER_CONFIG, as `docker login` would have left it. */
  dockerConfig: string;
  stop(): Promise<void>;
}

/**
 * A real container registry, Debian's `docker-registry`, on a free port. With `auth`, it requires a user and
 * a password.
 */
export async function startRegistry({ auth }: { auth: boolean }): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), "acme-registry-"));
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  writeFileSync(join(folder, "users"), USERS);
  const config = {
    version: 0.1,
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: join(folder, "data") } },
    http: { addr: address },
    ...(auth ? { auth: { htpasswd: { realm: "acme", path: join(folder, "users") } } } : undefined),
  };
  // YAML reads JSON.
  writeFileSync(join(folder, "config.yml"), JSON.stringify(config));
  const login = { auths: auth ? { [address]: { auth: Buffer.from("acme:secret").toString("base64") } } : {} };
  writeFileSync(join(folder, "config.json"), JSON.stringify(login));
  const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  await eventually("the registry answers", async () => {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    const answer = await fetch(`http://${address}/v2/`).catch(() => null);
    return answer?.status === (auth ? 401 : 200);
  });
  return {
    address,
    dockerConfig: folder,
    async stop() {
      await ended(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
