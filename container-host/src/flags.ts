import type { HostOptions } from "./options.ts";

export interface HostFlag {
  option: keyof HostOptions;
  /** The name of its value in the usage text. */
  value: string;
  description: string;
}

/** Options of the command line by name: each is also a variable, `ACME_HOST_` and the name in capitals. */
export const HOST_FLAGS = {
  data: { option: "dataDir", value: "DIR", description: "folder of this host only (default .acme/host)" },
  executor: { option: "executor", value: "KIND", description: "docker, process or auto (default auto)" },
  concurrency: {
    option: "concurrency",
    value: "N",
    description: "maximum number of runs at once (default by memory, at most 100)",
  },
  "metrics-port": {
    option: "metricsPort",
    value: "N|off",
    description: "port of /metrics and /healthz (default any free one)",
  },
  "metrics-host": {
    option: "metricsHost",
    value: "ADDRESS",
    description: "address of that port (default 127.0.0.1)",
  },
  "drain-ms": {
    option: "drainMs",
    value: "N",
    description: "time for running attempts after SIGTERM (default 20000)",
  },
  "cancel-grace-ms": {
    option: "cancelGraceMs",
    value: "N",
    description: "time for a canceled attempt to end (default 10000)",
  },
  "idle-ms": {
    option: "idleMs",
    value: "N",
    description: "how long an idle runtime is kept (default 60000)",
  },
  spares: {
    option: "spares",
    value: "N",
    description: "runtimes kept ready for each deployment in use (default 1)",
  },
  "telemetry-buffer-bytes": {
    option: "telemetryBufferBytes",
    value: "N",
    description:
      "bytes of logs, spans and metrics buffered on disk while the server accepts none (default 256 MB)",
  },
  "cpu-overcommit": {
    option: "cpuOvercommit",
    value: "N",
    description: "Docker: cores promised per real core (default 4)",
  },
  "memory-reserve": {
    option: "memoryReserve",
    value: "N",
    description: "Docker: bytes of memory reserved for the machine",
  },
  "separate-users": {
    option: "separateUsers",
    value: "on|off",
    description: "processes: if the host is root, run tasks as other users (default on)",
  },
  checkpoints: {
    option: "checkpoints",
    value: "on|off",
    description: "Docker: save suspended processes; off: replay their runs (default on)",
  },
  "checkpoint-dir": {
    option: "checkpointDir",
    value: "DIR",
    description: "folder of saved processes; hosts that share it restore each other's",
  },
  "checkpoint-bytes": {
    option: "checkpointBytes",
    value: "N",
    description: "maximum size of saved processes (default 10 GB)",
  },
  "image-cache-bytes": {
    option: "imageCacheBytes",
    value: "N",
    description: "Docker: maximum size of pulled images of deployments (default 20 GB)",
  },
  "block-networks": {
    option: "blockNetworks",
    value: "KIND",
    description:
      "Docker: what containers can't reach: none, link-local (169.254.0.0/16, cloud metadata) or private (also private ranges) (default link-local)",
  },
  "container-api-url": {
    option: "containerApiUrl",
    value: "URL",
    description: "Docker: the server's address for containers",
  },
} as const satisfies Record<string, HostFlag>;

/** The file from which the host token is read. Its variable is ACME_HOST_TOKEN_FILE. */
export const TOKEN_FILE_FLAG = "host-token-file";

export const variableOf = (flag: string): string => `ACME_HOST_${flag.toUpperCase().replaceAll("-", "_")}`;
