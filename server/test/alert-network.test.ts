import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { workerdConfig } from "../src/workerd-config.ts";

const WORKERD = createRequire(import.meta.url).resolve("workerd/bin/workerd");
/** A name that passes every check of the URL itself. */
const NAME = "hooks.rebinding.example.com";
/** Stands for a public address: it belongs to nobody. */
const PUBLIC = "203.0.113.1";

/** Fetches what it is asked for through the network of alerts, as `workers/src/alerts/send.ts` does. */
const WORKER = `export default {
  async fetch(request, env) {
    const url = new URL(request.url).searchParams.get("url");
    try {
      const response = await env.ALERT_NETWORK.fetch(url, { signal: AbortSignal.timeout(3000) });
      return new Response(await response.text());
    } catch (error) {
      return new Response(String(error), { status: 502 });
    }
  },
};`;

/** In a namespace of its own, a process sees another file at /etc/hosts, without any right on this machine. */
const hasNamespaces = spawnSync("unshare", ["--map-root-user", "--mount", "true"]).status === 0;

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

describe("the network of alerts", () => {
  const folder = mkdtempSync(join(tmpdir(), "acme-alert-network-"));
  const hosts = join(folder, "hosts");
  const processes: ChildProcess[] = [];
  let inside: Server;
  let insideUrl: (name: string) => string;
  let connections = 0;

  beforeAll(async () => {
    inside = createServer((_, response) => response.end("secret of the private network"));
    inside.on("connection", () => {
      connections += 1;
    });
    inside.listen(0, "127.0.0.1");
    await once(inside, "listening");
    insideUrl = (name) => `http://${name}:${(inside.address() as AddressInfo).port}/`;
  });
  afterAll(async () => {
    for (const process of processes) {
      process.kill("SIGKILL");
      if (process.exitCode === null && process.signalCode === null) await once(process, "exit");
    }
    inside?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const resolveTo = (address: string): void =>
    writeFileSync(hosts, `127.0.0.1 localhost\n${address} ${NAME}\n`);

  /** Starts workerd with the configuration of a real server, and returns what asks its Worker. */
  async function start(alertNetworks: string[]): Promise<(url: string) => Promise<[number, string]>> {
    const port = await freePort();
    const data = mkdtempSync(join(folder, "data-"));
    for (const each of ["objects", "blobs"]) mkdirSync(join(data, each));
    writeFileSync(join(data, "worker.mjs"), WORKER);
    const config = workerdConfig({
      address: `127.0.0.1:${port}`,
      module: "worker.mjs",
      compatibilityDate: "2026-01-01",
      compatibilityFlags: [],
      objects: [],
      secrets: {},
      vars: {},
      networks: ["public"],
      alertNetworks,
      certificates: [],
      objectsPath: join(data, "objects"),
      blobsPath: join(data, "blobs"),
    });
    writeFileSync(join(data, "config.capnp"), config);
    const serve = `"${WORKERD}" serve "${join(data, "config.capnp")}"`;
    const [command, args] = hasNamespaces
      ? [
          "unshare",
          ["--map-root-user", "--mount", "sh", "-c", `mount --bind "${hosts}" /etc/hosts && exec ${serve}`],
        ]
      : ["sh", ["-c", `exec ${serve}`]];
    const process = spawn(command as string, args as string[], { stdio: "inherit" });
    processes.push(process);
    const ask = async (url: string): Promise<[number, string]> => {
      const response = await fetch(`http://127.0.0.1:${port}/?url=${encodeURIComponent(url)}`);
      return [response.status, await response.text()];
    };
    for (;;) {
      if (process.exitCode !== null) throw new Error(`workerd has ended: ${process.exitCode}`);
      const answer = await ask("http://127.0.0.1:1/").catch(() => null);
      if (answer) return ask;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  it("reaches no name that resolves to a private address, and no private address", {
    timeout: 60_000,
  }, async () => {
    resolveTo("127.0.0.1");
    const ask = await start(["public"]);
    for (const name of ["localhost", "127.0.0.1", ...(hasNamespaces ? [NAME] : [])])
      expect((await ask(insideUrl(name)))[0]).toBe(502);
    expect(connections).toBe(0);
    const allowed = await start(["local"]);
    for (const name of ["localhost", ...(hasNamespaces ? [NAME] : [])])
      expect(await allowed(insideUrl(name))).toEqual([200, "secret of the private network"]);
    expect(connections).toBeGreaterThan(0);
  });

  it.runIf(hasNamespaces)(
    "looks a name up for each connection, and checks what it connects to",
    { timeout: 60_000 },
    async () => {
      resolveTo(PUBLIC);
      const ask = await start(["public"]);
      // Whoever checks the name now finds it public.
      expect((await ask(insideUrl(NAME)))[0]).toBe(502);
      const before = connections;
      resolveTo("127.0.0.1");
      for (let tries = 0; tries < 5; tries++) expect((await ask(insideUrl(NAME)))[0]).toBe(502);
      expect(connections).toBe(before);
    },
  );
});
