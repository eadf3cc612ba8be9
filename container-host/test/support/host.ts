import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type HostExtras, type HostOptions, logTo, type RunningHost, startHost } from "../../src/index.ts";
import { projectBundle } from "./bundle.ts";
import { HOST_TOKEN, ScriptedServer } from "./scripted-server.ts";

/** A folder that is removed after the test. Tasks can use it too; they are other users where this process is root. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "acme-host-test-"));
  chmodSync(folder, 0o777);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A scripted server with the fixture project deployed. */
export async function testServer(): Promise<ScriptedServer> {
  const server = await new ScriptedServer().listen();
  onTestFinished(() => server.close());
  server.deploy(await projectBundle());
  return server;
}

export interface TestHost extends RunningHost {
  server: ScriptedServer;
  dataDir: string;
  /** The host's log. */
  said: string[];
  /** The value of a metric, 0 where it has none yet. */
  metric(name: string, labels?: string): Promise<number>;
  /** Resolves when the metric has the value. */
  untilMetric(name: string, value: number): Promise<void>;
}

/** A real host in this process, that polls a scripted server. Killed after the test. */
export async function testHost(
  executor: "process" | "docker",
  options: Partial<HostOptions> & { server?: ScriptedServer; pressure?: HostExtras["pressure"] } = {},
): Promise<TestHost> {
  // Other work of the machine must not determine how many runs the host takes.
  const { server: given, pressure = () => ({ memoryAvailable: 1, loadPerCore: 0 }), ...more } = options;
  const server = given ?? (await testServer());
  const dataDir = options.dataDir ?? testFolder();
  const said: string[] = [];
  const host = await startHost(
    {
      apiUrl: server.url,
      hostToken: HOST_TOKEN,
      executor,
      dataDir,
      spares: 0,
      drainMs: 0,
      selfTest: false,
      ...more,
    },
    logTo((level, message) => said.push(`${level} ${message}`)),
    { pressure },
  );
  onTestFinished(() => host.kill());
  await host.ready;
  const metric = async (name: string, labels = ""): Promise<number> => {
    const text = await (await fetch(`${host.metricsUrl}/metrics`)).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`acme_host_${name}${labels} `));
    return line ? Number(line.split(" ").at(-1)) : 0;
  };
  const untilMetric = async (name: string, value: number): Promise<void> => {
    const deadline = performance.now() + 30_000;
    while ((await metric(name)) !== value) {
      if (performance.now() > deadline) throw new Error(`${name} is ${await metric(name)}, not ${value}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { ...host, server, dataDir, said, metric, untilMetric };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
