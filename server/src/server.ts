import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type PlatformLogRecord, parsePlatformLogLine, platformLogRecord } from "@acme/sdk/contract";
import { type AskHealth, bootstrap, createSignInLink, healthAt, waitUntilHealthy } from "./api.ts";
import { clickhouseAddress, migrateAtStart } from "./clickhouse.ts";
import { type DataDir, openDataDir } from "./data-dir.ts";
import { claimVersion } from "./data-version.ts";
import { ServerError } from "./errors.ts";
import { hostCommand, hostEnvironment, readyLine } from "./host-process.ts";
import { lockDataDir } from "./lock.ts";
import { createPart, LISTEN_FD, type Part, type PartSpec } from "./part.ts";
import { claimPort } from "./ports.ts";
import { writePrivateJson } from "./private-file.ts";
import { loadSecrets } from "./secrets.ts";
import { loadSettings } from "./settings.ts";
import { healthAtSocket } from "./shards/health.ts";
import { listenTogether } from "./shards/listening-socket.ts";
import { servePlacements } from "./shards/placement-service.ts";
import { openShards, processFiles } from "./shards/shard.ts";
import { VERSION } from "./version.ts";
import { writeWorkerFiles } from "./worker-files.ts";
import { workerSecretFiles } from "./worker-secrets.ts";

export const EXECUTORS = ["docker", "process", "auto"] as const;
export type Executor = (typeof EXECUTORS)[number];

export const DEFAULT_PORT = 8787;
export const DEFAULT_ORGANIZATION = { slug: "default", name: "Default organization" };
/**
 * The owner of a new server. The address receives no mail: the operator gets the sign-in link from the
 * server.
 */
export const OWNER = { email: "owner@acme.localhost", name: "Owner" };
export const DEFAULT_PROJECT = { ref: "proj_default", name: "Default project" };

export interface ServerOptions {
  dataDir: string;
  /** Default 8787; 0: any free port. */
  port?: number;
  /** Address to listen on. Default 127.0.0.1: only this machine. */
  host?: string;
  /** The executor of runs. `auto` (default): containers if Docker answers, otherwise processes. */
  executor?: Executor;
  /**
   * Address of a ClickHouse for logs, traces, metrics and queries. Default: the one of the settings file, or
   * none.
   */
  clickhouse?: string;
  /**
   * How many processes of workerd serve together, each with the objects of some environments. Default 1. Those of
   * before can't be fewer, as each has data.
   */
  processes?: number;
  /** Variables of the Worker that differ from wrangler.toml's. */
  vars?: Record<string, string>;
  /** Aborts the start. */
  signal?: AbortSignal;
  /** Receives what the server and its parts say. */
  log(record: PlatformLogRecord): void;
}

/** The contents of `local.json`: everything that a client on this machine needs. */
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
  /** The executor of runs. */
  executor: string;
  /** Signs the owner in once, in the browser that opens it. Null: they have signed in before. */
  signInLink: string | null;
  pids(): { worker: number | undefined; host: number | undefined };
  /** Drains the host, then stops the Worker; the data stays. Safe to call twice. */
  stop(): Promise<void>;
}

/** The binary for this machine; the package has no types. */
const WORKERD = (createRequire(import.meta.url)("workerd") as { default: string }).default;
/** workerd's warning about a flag that wrangler.toml needs for older versions. */
const NOISE = /became the default as of .* does not need to be specified/;
const STARTUP_MS = 60_000;
const WORKER_GRACE_MS = 5_000;
/** Longer than the host's own drain time. */
const HOST_GRACE_MS = 30_000;

/**
 * Starts the whole platform on this machine: the Worker with its objects on workerd, and a container host. Both are
 * supervised: a crashed part is restarted, and both end with this process, however it ends.
 * @throws ServerError if the user has to solve a problem first; nothing is left running then
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const host = options.host ?? "127.0.0.1";
  const dir = openDataDir(options.dataDir);
  const unlock = lockDataDir(dir.root);
  const workers: Part[] = [];
  let containerHost: Part | undefined;
  const say = (message: string): void => options.log(platformLogRecord("info", "server", message));
  const releases: (() => void)[] = [unlock];
  const stopped = new AbortController();
  const stop = once(async () => {
    stopped.abort();
    // The host stops first, because it reports the runs that it gives back to the Worker.
    await containerHost?.stop();
    await Promise.all(workers.map((worker) => worker.stop()));
    for (const release of releases.toReversed()) release();
  });

  try {
    claimVersion(dir.versionFile, VERSION);
    const secrets = loadSecrets(dir.secretsFile);
    const settings = loadSettings(dir.settingsFile);
    if (options.clickhouse) settings.worker.CLICKHOUSE_URL = options.clickhouse;
    const clickhouseUrl = settings.worker.CLICKHOUSE_URL;
    const clickhouse = clickhouseUrl ? clickhouseAddress(clickhouseUrl) : null;
    const port = await claimPort(host, options.port ?? DEFAULT_PORT);
    const apiUrl = `http://${urlHost(host)}:${port}`;
    const access: LocalAccess = {
      apiUrl,
      dashboardUrl: apiUrl,
      projectRef: DEFAULT_PROJECT.ref,
      secretKey: secrets.secretKey,
      devSecretKey: secrets.devSecretKey,
      hostToken: secrets.hostToken,
      accessToken: secrets.accessToken,
    };
    const shards = openShards(dir, options.processes ?? 1);
    releases.push(shards.unlock);
    const isSharded = shards.all.length > 1;
    if (isSharded) releases.push(await servePlacements(dir, shards));
    const configFiles = await writeWorkerFiles({
      dir,
      processes: shards.all.map((shard) => processFiles(shard, shards)),
      address: isSharded ? undefined : `${bracketed(host)}:${port}`,
      vars: options.vars,
      settings,
      clickhouse,
      log: say,
    });
    if (clickhouse) await migrateAtStart(clickhouse, stopped.signal, say);
    const create = partFactory(dir, options.log);
    const starting: Promise<void>[] = [];
    for (const [index, shard] of shards.all.entries()) {
      const files = workerSecretFiles(shard.generated, secrets, settings.worker);
      releases.push(files.remove);
      const socket = join(dir.root, shard.socket);
      const health = isSharded ? healthAtSocket(socket) : healthAt(apiUrl);
      const inherits = isSharded ? ["--socket-fd", `http=${LISTEN_FD}`] : [];
      const worker = create({
        name: shard.name,
        command: { file: WORKERD, args: ["serve", "--experimental", configFiles[index]!, ...inherits] },
        env: workerEnvironment(),
        graceMs: WORKER_GRACE_MS,
        listen: isSharded ? () => listenTogether(host, port) : undefined,
        beforeStart() {
          // The one of a process that was killed would be in the way.
          rmSync(socket, { force: true });
          files.write();
        },
        started: () => removeOnceHealthy(files, health),
      });
      workers.push(worker);
      worker.start();
      starting.push(
        up(worker, "The Worker", (signal) => waitUntilHealthy(health, signal, say), options.signal),
      );
    }
    await Promise.all(starting);
    for (const worker of workers) worker.keepAlive();
    const warnings = await bootstrap(apiUrl, secrets.adminToken, {
      organization: DEFAULT_ORGANIZATION,
      project: DEFAULT_PROJECT,
      secretKeys: { prod: secrets.secretKey, dev: secrets.devSecretKey },
      accessToken: secrets.accessToken,
    });
    for (const warning of warnings)
      options.log(platformLogRecord("warn", "server", `secrets.json: ${warning}`));
    const owner = { ...OWNER, organization: DEFAULT_ORGANIZATION.slug };
    const link = await createSignInLink(apiUrl, secrets.adminToken, owner);
    writePrivateJson(dir.localFile, access);

    const hostReady = Promise.withResolvers<{ executor: string }>();
    const hostPart = create({
      name: "host",
      command: hostCommand({ dataDir: dir.host, executor: options.executor ?? "auto" }),
      env: hostEnvironment(process.env, access.apiUrl, settings.worker),
      secret: access.hostToken,
      graceMs: HOST_GRACE_MS,
      takesLine(line) {
        const ready = readyLine(line);
        if (!ready) return false;
        const { executor, metricsUrl } = ready;
        options.log(
          platformLogRecord("info", "host", "The host takes runs", { executor, metrics: metricsUrl }),
        );
        hostReady.resolve(ready);
        return true;
      },
    });
    containerHost = hostPart;
    hostPart.start();
    await up(
      hostPart,
      "The container host",
      (signal) => orAborted(hostReady.promise, signal),
      options.signal,
    );
    hostPart.keepAlive();

    return {
      ...access,
      dataDir: dir.root,
      localFile: dir.localFile,
      executor: (await hostReady.promise).executor,
      signInLink: link.hasSignedIn ? null : link.url,
      pids: () => ({ worker: workers[0]?.pid, host: hostPart.pid }),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Creates parts that log to `log`, and keeps the file with the pids up to date. */
function partFactory(dir: DataDir, log: (record: PlatformLogRecord) => void) {
  const pids: Record<string, number> = { server: process.pid };
  return (
    options: Omit<PartSpec, "cwd" | "onLine" | "onStart" | "onCrash"> & {
      started?(): void;
      /** Returns true for a line that is meant for the server, not for the user. */
      takesLine?(line: string): boolean;
    },
  ): Part => {
    const { name, takesLine, started, ...spec } = options;
    return createPart({
      ...spec,
      name,
      cwd: dir.root,
      onLine(line) {
        if (!NOISE.test(line) && !takesLine?.(line)) log(parsePlatformLogLine(line, name));
      },
      onStart(pid) {
        pids[name] = pid;
        writePrivateJson(dir.pidsFile, pids);
        started?.();
      },
      onCrash(how, restartInMs) {
        const again = restartInMs === null ? {} : { restartInMs };
        log(platformLogRecord("error", name, `The ${name} ${how}`, again));
      },
    });
  };
}

function workerEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, TZ } = process.env;
  return { PATH, HOME, TMPDIR, TZ };
}

/**
 * A Worker that answers has read its secrets. One that does not start in time is restarted with new files.
 */
function removeOnceHealthy(files: { remove(): void }, health: AskHealth): void {
  waitUntilHealthy(health, AbortSignal.timeout(STARTUP_MS), () => {}).then(files.remove, () => {});
}

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** A listener on all addresses is reachable at the loopback address. */
const urlHost = (host: string): string =>
  host === "0.0.0.0" || host === "::" ? "127.0.0.1" : bracketed(host);

function once(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= action();
    return running;
  };
}

/**
 * Waits for a part that was just started. @throws ServerError with its last output if it ends or takes too
 * long
 */
async function up(
  part: Part,
  what: string,
  isUp: (signal: AbortSignal) => Promise<void>,
  interrupted?: AbortSignal,
): Promise<void> {
  const settled = new AbortController();
  const signals = [settled.signal, AbortSignal.timeout(STARTUP_MS), ...(interrupted ? [interrupted] : [])];
  const dead = part.ended().then((how) => {
    throw new ServerError(`${what} ${how} while it was starting:\n${part.recentOutput()}`);
  });
  try {
    await Promise.race([isUp(AbortSignal.any(signals)), dead]);
  } finally {
    settled.abort();
    dead.catch(() => {});
  }
}

function orAborted(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new ServerError("It was not ready in time")), {
      once: true,
    });
    promise.then(() => resolve(), reject);
  });
}
