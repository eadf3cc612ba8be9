import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bootstrap, waitUntilHealthy } from "./api.ts";
import { openDataDir } from "./data-dir.ts";
import type { Command } from "./die-with-parent.ts";
import { ServerError } from "./errors.ts";
import { hostCommand, hostEnvironment } from "./host-process.ts";
import { lockDataDir } from "./lock.ts";
import { createPart, type Part } from "./part.ts";
import { claimPort } from "./ports.ts";
import { writePrivateJson } from "./private-file.ts";
import { loadSecrets } from "./secrets.ts";
import { bundleWorker } from "./worker-bundle.ts";
import { workerdConfig } from "./workerd-config.ts";
import { readWranglerConfig } from "./wrangler-config.ts";

export const EXECUTORS = ["docker", "process", "auto"] as const;
export type Executor = (typeof EXECUTORS)[number];

export const DEFAULT_PORT = 8787;
export const DEFAULT_PROJECT = { ref: "proj_default", name: "Default project" };

export interface ServerOptions {
  dataDir: string;
  /** Default 8787; 0: any free port. */
  port?: number;
  /** Address to listen on. Default 127.0.0.1: only this machine. */
  host?: string;
  /** What runs are executed in. `auto` (default): containers where Docker answers, processes otherwise. */
  executor?: Executor;
  /** Variables of the Worker that differ from wrangler.toml's. */
  vars?: Record<string, string>;
  /** Aborted: the start is given up. */
  signal?: AbortSignal;
  /** What the server and its parts have to say, a line at a time. */
  log(line: string): void;
}

/** What is written to `local.json`: all that a client on this machine needs. */
export interface LocalAccess {
  apiUrl: string;
  dashboardUrl: string;
  projectRef: string;
  /** API key of production. */
  secretKey: string;
  devSecretKey: string;
  hostToken: string;
  /** Personal access token for the CLI. */
  accessToken: string;
}

export interface RunningServer extends LocalAccess {
  dataDir: string;
  /** Path of the file with all of the above. */
  localFile: string;
  pids(): { worker: number | undefined; host: number | undefined };
  /** Drains the host, then stops the Worker; the data stays. Safe to call twice. */
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The binary for this machine; the package has no types. */
const WORKERD = (createRequire(import.meta.url)("workerd") as { default: string }).default;
/** workerd's advice about a flag that wrangler.toml needs for older versions. */
const NOISE = /became the default as of .* does not need to be specified/;
const STARTUP_MS = 60_000;
const SECRET_VARIABLES = ["HOST_TOKEN", "ADMIN_TOKEN", "SIGNING_KEY"];

/**
 * Starts the whole platform on this machine: the Worker with its objects on workerd, and a container host. Both are
 * watched and started again when they die, and end with this process, whatever ends it.
 * @throws ServerError where something the user can put right is in the way; nothing is left running then
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const host = options.host ?? "127.0.0.1";
  const dir = openDataDir(options.dataDir);
  const unlock = lockDataDir(dir.root);
  const parts: Part[] = [];
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      // The host goes first: it still has to report what it gives back.
      for (const part of parts.toReversed()) await part.stop();
      unlock();
    })();
    return stopped;
  };

  try {
    const secrets = loadSecrets(dir.secretsFile);
    const settings = readWranglerConfig(join(ROOT, "wrangler.toml"));
    const port = await claimPort(host, options.port ?? DEFAULT_PORT);
    const apiUrl = `http://${urlHost(host)}:${port}`;
    await bundleWorker({ root: ROOT, main: settings.main, outfile: join(dir.generated, "worker.mjs") });

    const dashboard = join(ROOT, "dashboard/build");
    const configFile = join(dir.generated, "workerd.capnp");
    writeFileSync(
      configFile,
      workerdConfig({
        address: `${urlHost(host, true)}:${port}`,
        module: "worker.mjs",
        compatibilityDate: settings.compatibilityDate,
        compatibilityFlags: settings.compatibilityFlags,
        objects: settings.objects,
        environmentVariables: SECRET_VARIABLES,
        vars: { ...settings.vars, ...options.vars },
        objectsPath: dir.objects,
        blobsPath: dir.blobs,
        dashboardPath: existsSync(dashboard) ? dashboard : undefined,
      }),
    );

    const pids: Record<string, number> = { server: process.pid };
    const partOf = (
      name: "worker" | "host",
      command: Command,
      env: NodeJS.ProcessEnv,
      graceMs: number,
    ): Part => {
      const part = createPart({
        name,
        command,
        env,
        cwd: dir.root,
        graceMs,
        onLine: (line) => !NOISE.test(line) && options.log(`[${name}] ${line}`),
        onStart: (pid) => {
          pids[name] = pid;
          writePrivateJson(dir.pidsFile, pids);
        },
        onDeath: (how, restartInMs) =>
          options.log(
            `[${name}] ${how}${restartInMs === null ? "" : `; starting it again in ${restartInMs} ms`}`,
          ),
      });
      parts.push(part);
      return part;
    };
    const { PATH, HOME, TMPDIR } = process.env;
    const worker = partOf(
      "worker",
      { file: WORKERD, args: ["serve", "--experimental", configFile] },
      {
        PATH,
        HOME,
        TMPDIR,
        HOST_TOKEN: secrets.hostToken,
        ADMIN_TOKEN: secrets.adminToken,
        SIGNING_KEY: secrets.signingKey,
      },
      5_000,
    );
    worker.start();
    await upOrDead(worker, "The Worker", (signal) => waitUntilHealthy(apiUrl, signal), options.signal);
    worker.keepAlive();

    const { projectRef } = await bootstrap(apiUrl, secrets.adminToken, {
      organization: { slug: "default", name: "Default organization" },
      project: DEFAULT_PROJECT,
      secretKeys: { prod: secrets.secretKey, dev: secrets.devSecretKey },
      accessToken: secrets.accessToken,
    });
    const access: LocalAccess = {
      apiUrl,
      dashboardUrl: apiUrl,
      projectRef,
      secretKey: secrets.secretKey,
      devSecretKey: secrets.devSecretKey,
      hostToken: secrets.hostToken,
      accessToken: secrets.accessToken,
    };
    writePrivateJson(dir.localFile, access);

    const hostPart = partOf(
      "host",
      hostCommand(ROOT),
      hostEnvironment({
        apiUrl,
        hostToken: secrets.hostToken,
        executor: options.executor ?? "auto",
        dataDir: dir.host,
      }),
      30_000,
    );
    hostPart.start();
    hostPart.keepAlive();

    return {
      ...access,
      dataDir: dir.root,
      localFile: dir.localFile,
      pids: () => ({ worker: worker.pid, host: hostPart.pid }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `host` as it stands in a URL; a listener on all addresses is reached by the loopback one. */
function urlHost(host: string, listening = false): string {
  if (!listening && (host === "0.0.0.0" || host === "::")) return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

async function upOrDead(
  part: Part,
  what: string,
  up: (signal: AbortSignal) => Promise<void>,
  interrupted?: AbortSignal,
): Promise<void> {
  const settled = new AbortController();
  const signals = [settled.signal, AbortSignal.timeout(STARTUP_MS), ...(interrupted ? [interrupted] : [])];
  const dead = part.died().then((how) => {
    throw new ServerError(`${what} ${how} while it was starting:\n${part.recentOutput()}`);
  });
  try {
    await Promise.race([up(AbortSignal.any(signals)), dead]);
  } finally {
    settled.abort();
    dead.catch(() => {});
  }
}
