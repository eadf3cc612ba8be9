import { availableParallelism, totalmem } from "node:os";
import { DEFAULTS, LIMITS } from "@acme/sdk/contract";
import { z } from "zod";

/**
 * Addresses that containers can't reach. `link-local`: 169.254.0.0/16 and the addresses at which clouds serve
 * metadata. `private`: also the private ranges of IPv4 and IPv6, except the server.
 */
export const BLOCKED_NETWORKS = ["none", "link-local", "private"] as const;
export type BlockedNetworks = (typeof BLOCKED_NETWORKS)[number];

export const EXECUTORS = ["docker", "process", "auto"] as const;

const MB = 1024 ** 2;
const GB = 1024 ** 3;
/** Roughly the memory of an idle Node process with a small bundle. */
const PROCESS_BYTES = 64 * 1024 ** 2;

/**
 * Returns the number of processes for this machine: by half of the memory, and at most an environment's
 * default concurrency.
 */
export const defaultProcessConcurrency = (memory = totalmem()): number =>
  Math.max(8, Math.min(DEFAULTS.environmentConcurrency, Math.floor(memory / 2 / PROCESS_BYTES)));

const Millis = z.coerce.number().int().min(0);

export const HostOptions = z.object({
  /** Base URL of the Worker, for example http://127.0.0.1:8787. */
  apiUrl: z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, "")),
  /** The server's registration token: shown once, when the host registers its own credential. */
  hostToken: z.string().min(1),
  /** `auto`: Docker if its Engine answers, otherwise processes. Default auto. */
  executor: z.enum(EXECUTORS).default("auto"),
  /**
   * Process executor: if the host is root, tasks run as unprivileged users, one for each environment. Default
   * true.
   */
  separateUsers: z
    .union([z.boolean(), z.enum(["on", "off"]).transform((text) => text === "on")])
    .default(true),
  /** Process executor: arguments of Node.js, in addition to those for the memory. */
  nodeArguments: z.array(z.string()).default([]),
  /** Process executor: the working directory of processes. Default: an empty folder of the host. */
  taskFolder: z.string().min(1).optional(),
  /** Folder that only this host uses, for its id, fetched bundles and sockets. Default `.acme/host`. */
  dataDir: z.string().min(1).default(".acme/host"),
  /**
   * The maximum number of concurrent runs. Default: by memory, at most 100. With Docker, CPU and memory limit
   * it too.
   */
  concurrency: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIMITS.dequeueBatch)
    .default(() => defaultProcessConcurrency()),
  /** Port of /metrics and /healthz; 0: any free one; null: none. Default 0. */
  metricsPort: z.coerce.number().int().min(0).max(65_535).nullable().default(0),
  /** Address of the metrics port. Default 127.0.0.1. */
  metricsHost: z.string().default("127.0.0.1"),
  /**
   * How long running attempts may continue after SIGTERM before their runs are returned to their queues.
   * Default 20 s.
   */
  drainMs: Millis.default(20_000),
  /** How long a canceled attempt may take to end before it is killed. Default 10 s. */
  cancelGraceMs: Millis.default(10_000),
  /** How long after `maxDuration` a run is killed that its runtime did not end (it tries for 5 s). Default 10 s. */
  timeoutGraceMs: Millis.default(10_000),
  /** How long an idle runtime is kept for the next run of its version. Default 60 s. */
  idleMs: Millis.default(60_000),
  /** The number of idle runtimes that are kept ready for each deployment in use. Default 1. */
  spares: z.coerce.number().int().min(0).default(1),
  heartbeatMs: Millis.default(DEFAULTS.heartbeatMs),
  /**
   * After this long without contact, the host kills its runs, because the server is about to give them to
   * other hosts.
   */
  fenceMs: Millis.default(DEFAULTS.hostLostMs - 10_000),
  pollMs: Millis.max(60_000).default(DEFAULTS.pollMs),
  /** Fetched bundles above this many bytes are removed, the least recently used first. Default 2 GB. */
  bundleCacheBytes: z.coerce
    .number()
    .int()
    .min(0)
    .default(2 * GB),
  /** Docker: images of deployments above this many bytes together are removed, the least recently used first. Default 20 GB. */
  imageCacheBytes: z.coerce
    .number()
    .int()
    .min(0)
    .default(20 * GB),
  /**
   * The maximum size of logs, spans and metrics that wait on disk for the server; more is dropped. Default
   * 256 MB.
   */
  telemetryBufferBytes: z.coerce
    .number()
    .int()
    .min(0)
    .default(256 * MB),
  /**
   * Docker: the number of cores promised to runs per real core (runs are limited to their preset, and mostly
   * wait). Default 4.
   */
  cpuOvercommit: z.coerce.number().min(0.1).default(4),
  /** Docker: bytes of memory reserved for the machine. Default: 1 GB, at most an eighth. */
  memoryReserve: z.coerce
    .number()
    .min(0)
    .default(() => Math.min(GB, totalmem() / 8)),
  /**
   * Docker: suspended processes are saved to disk if the Engine supports that (experimental mode, CRIU).
   * Default true.
   */
  checkpoints: z.union([z.boolean(), z.enum(["on", "off"]).transform((text) => text === "on")]).default(true),
  /**
   * Docker: an idle process is saved and restored when the host starts; suspended runs are replayed until that has worked.
   * Default true.
   */
  selfTest: z.boolean().default(true),
  /** Folder of saved processes; hosts of one kind that share it restore each other's. Default `checkpoints` in dataDir. */
  checkpointDir: z.string().min(1).optional(),
  /** Saved processes above this many bytes are removed, the oldest first: their runs are replayed. Default 10 GB. */
  checkpointBytes: z.coerce
    .number()
    .int()
    .min(0)
    .default(10 * GB),
  /** Docker: addresses that containers can't reach, see BLOCKED_NETWORKS. Needs iptables, and root. Default link-local. */
  blockNetworks: z.enum(BLOCKED_NETWORKS).default("link-local"),
  /** Docker: the API's address for containers, to be used instead of the relay to a loopback `apiUrl`. */
  containerApiUrl: z.url({ protocol: /^https?$/ }).optional(),
});
export type HostOptions = z.input<typeof HostOptions>;
export type HostSettings = z.output<typeof HostOptions>;

/** The number of containers or processes that start concurrently: more would only slow each other down. */
export const startsAtOnce = (): number => Math.max(2, availableParallelism());
