/**
 * The container host as a program. Prints one line of JSON on standard output when it polls:
 * `{"ready":true,"hostId","executor","metricsUrl","pid"}`; what it has to say goes to standard error.
 * Exit codes: 0 after SIGTERM or SIGINT (a second one ends it at once: 130), 1 when it can't start.
 */
import { closeSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { HostError, messageOf } from "./errors.ts";
import { startHost } from "./host.ts";
import { stderrLog } from "./log.ts";
import { HostOptions } from "./options.ts";

const USAGE = `Usage: container-host [options]

  --data DIR             folder of this host alone (ACME_HOST_DATA; default .acme/host)
  --executor KIND        docker, process or auto (ACME_HOST_EXECUTOR; default auto)
  --concurrency N        most runs at once (ACME_HOST_CONCURRENCY; default by memory, at most 100)
  --metrics-port N|off   port of /metrics and /healthz on 127.0.0.1 (ACME_HOST_METRICS_PORT; default any free one)
  --metrics-host ADDRESS address of that port (ACME_HOST_METRICS_HOST)
  --drain-ms N           time for running attempts after SIGTERM (ACME_HOST_DRAIN_MS; default 20000)
  --cancel-grace-ms N    time for a canceled attempt to end (ACME_HOST_CANCEL_GRACE_MS; default 10000)
  --idle-ms N            how long an idle runtime is kept (ACME_HOST_IDLE_MS; default 60000)
  --spares N             runtimes kept ready for each deployment in use (ACME_HOST_SPARES; default 1)
  --cpu-overcommit N     Docker: cores promised for each real one (ACME_HOST_CPU_OVERCOMMIT; default 4)
  --memory-reserve N     Docker: bytes left to the machine (ACME_HOST_MEMORY_RESERVE)
  --separate-users on|off Processes: where this is root, run tasks as other users (ACME_HOST_SEPARATE_USERS; default on)
  --checkpoints on|off   Docker: save suspended processes, else replay them (ACME_HOST_CHECKPOINTS; default on)
  --checkpoint-dir DIR   where; hosts that share it restore each other's (ACME_HOST_CHECKPOINT_DIR)
  --checkpoint-bytes N   the most they may take (ACME_HOST_CHECKPOINT_BYTES; default 10 GB)
  --image-cache-bytes N  pulled images of deployments (ACME_HOST_IMAGE_CACHE_BYTES; default 20 GB)
  --block-networks KIND  Docker: none, link-local (169.254.0.0/16 and metadata of clouds) or private (also private
                         ranges): what containers can't reach (ACME_HOST_BLOCK_NETWORKS; default link-local)
  --container-api-url U  Docker: the server as containers reach it (ACME_HOST_CONTAINER_API_URL)

  --host-token-file FILE read the host token from there (ACME_HOST_TOKEN_FILE), not from ACME_HOST_TOKEN

ACME_API_URL is the server's address. The host token registers the host there, once; from then on the host shows a credential of
its own, which is kept in its data folder and can be revoked. Other processes of this user can read environment variables, so a
file that only this user can read, or /dev/fd/N, is the safer way to pass the host token.
`;

/** Options of the command line, and what each is called in the environment (ACME_HOST_…) and in HostOptions. */
const FLAGS = {
  data: "dataDir",
  executor: "executor",
  concurrency: "concurrency",
  "metrics-port": "metricsPort",
  "metrics-host": "metricsHost",
  "drain-ms": "drainMs",
  "cancel-grace-ms": "cancelGraceMs",
  "idle-ms": "idleMs",
  spares: "spares",
  "cpu-overcommit": "cpuOvercommit",
  "memory-reserve": "memoryReserve",
  "separate-users": "separateUsers",
  checkpoints: "checkpoints",
  "checkpoint-dir": "checkpointDir",
  "checkpoint-bytes": "checkpointBytes",
  "image-cache-bytes": "imageCacheBytes",
  "block-networks": "blockNetworks",
  "container-api-url": "containerApiUrl",
} as const satisfies Record<string, keyof HostOptions>;

const TOKEN_FILE = "host-token-file";

const variableOf = (flag: string, prefix = "ACME_HOST_"): string =>
  `${prefix}${flag.toUpperCase().replaceAll("-", "_")}`;

/** A descriptor is closed once it is read, so that nothing that is started here inherits it. @throws HostError */
function readSecret(path: string): string {
  try {
    const descriptor = /^\/dev\/fd\/(\d+)$/.exec(path)?.[1];
    if (!descriptor) return readFileSync(path, "utf8").trim();
    const text = readFileSync(Number(descriptor), "utf8").trim();
    closeSync(Number(descriptor));
    return text;
  } catch (error) {
    throw new HostError(`The host token can't be read from ${path}: ${messageOf(error)}`);
  }
}

/** @throws HostError naming what is wrong and how it is given */
function readOptions(argv: string[], env: NodeJS.ProcessEnv): HostOptions {
  const options = Object.fromEntries(
    [...Object.keys(FLAGS), TOKEN_FILE].map((flag) => [flag, { type: "string" as const }]),
  );
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({ args: argv, options: { ...options, help: { type: "boolean", short: "h" } } }));
  } catch (error) {
    throw new HostError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  const tokenFile = values[TOKEN_FILE] ?? (env[variableOf(TOKEN_FILE, "ACME_")] || undefined);
  const raw: Record<string, unknown> = {
    apiUrl: env.ACME_API_URL,
    hostToken: typeof tokenFile === "string" ? readSecret(tokenFile) : env.ACME_HOST_TOKEN,
  };
  const names = new Map([
    ["apiUrl", "ACME_API_URL"],
    ["hostToken", typeof tokenFile === "string" ? `--${TOKEN_FILE} ${tokenFile}` : "ACME_HOST_TOKEN"],
  ]);
  for (const [flag, option] of Object.entries(FLAGS)) {
    raw[option] = values[flag] ?? (env[variableOf(flag)] || undefined);
    names.set(option, `--${flag} (or ${variableOf(flag)})`);
  }
  if (raw.metricsPort === "off") raw.metricsPort = null;
  const parsed = HostOptions.safeParse(raw);
  if (parsed.success) return raw as HostOptions;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${names.get(String(path[0])) ?? path.join(".")}: ${message}`,
  );
  throw new HostError(`${problems.join("\n")}\n\n${USAGE}`);
}

async function main(): Promise<void> {
  const log = stderrLog();
  const options = readOptions(process.argv.slice(2), process.env);
  // Nothing that is started here inherits it.
  delete process.env.ACME_HOST_TOKEN;
  const host = await startHost(options, log);
  let asked = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    asked += 1;
    if (asked > 1) {
      log.warn(`${signal} again: ending at once`);
      process.exit(130);
    }
    host.stop().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  void host.failed.then(async (error) => {
    await host.kill();
    fail(error);
  });
  await host.ready;
  const { hostId, executor, metricsUrl } = host;
  process.stdout.write(
    `${JSON.stringify({ ready: true, hostId, executor, metricsUrl, pid: process.pid })}\n`,
  );
}

function fail(error: unknown): never {
  const known = error instanceof HostError;
  process.stderr.write(`${known ? error.message : error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}

main().catch(fail);
