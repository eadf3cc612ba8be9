import type Docker from "dockerode";
import { nodeArguments, runtimeEnvironment } from "../environment.ts";
import type { RuntimeSpec } from "../executor.ts";
import { SOCKET_NAME } from "./channel-server.ts";
import { CONTAINER_USER, PATHS } from "./runtime-image.ts";

export const HOST_LABEL = "acme.host";

/** Limit of processes and threads. A Node process has about a dozen. */
const MAX_PIDS = 512;
/** Docker keeps two files of this size of a container's raw output. */
const LOG_BYTES = 256 * 1024;

export interface ContainerFacts {
  spec: RuntimeSpec;
  image: string;
  network: string;
  apiUrl: string;
  channelToken: string;
  /** On this machine; mounted for this container alone. */
  channelDirectory: string;
  hostId: string;
  sessionId: string;
  /** Cores. */
  cpu: number;
  /** Bytes. */
  memory: number;
  /** The bundled runtime on this machine, for images that do not have it. */
  runtimePath: string;
  /** JavaScript that runs instead of the runtime. */
  code?: string;
}

/**
 * The working directory in a deployment's image, with its packages and files. The bundle is mounted into it.
 */
export const APP_FOLDER = "/app";
const APP_BUNDLE = `${APP_FOLDER}/bundle.mjs`;

/** Returns the options of a run's container: its limits, mounts and restrictions. */
export function containerOptions(facts: ContainerFacts): Docker.ContainerCreateOptions {
  const {
    apiUrl,
    channelDirectory,
    channelToken,
    code,
    cpu,
    hostId,
    image,
    memory,
    network,
    runtimePath,
    sessionId,
    spec,
  } = facts;
  const hasOwnImage = spec.image !== undefined;
  const bundle = hasOwnImage ? APP_BUNDLE : PATHS.bundle;
  const env = runtimeEnvironment(
    spec,
    {
      HOME: "/tmp",
      TMPDIR: "/tmp",
      LANG: "C.UTF-8",
      // A deployment's image defines where its programs and certificates are.
      ...(hasOwnImage
        ? undefined
        : { PATH: "/usr/local/bin", SSL_CERT_FILE: "/etc/ssl/certs/ca-certificates.crt" }),
    },
    {
      channel: `unix:${PATHS.channel}/${SOCKET_NAME}`,
      channelToken,
      bundle,
      apiUrl,
    },
  );
  // A process with io_uring open can't be checkpointed.
  env.UV_USE_IO_URING = "0";
  return {
    Image: spec.image ?? image,
    Entrypoint: [PATHS.node],
    Cmd: [...nodeArguments(memory), ...(code === undefined ? [PATHS.runtime] : ["--eval", code])],
    Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    User: `${CONTAINER_USER.uid}:${CONTAINER_USER.gid}`,
    WorkingDir: hasOwnImage ? APP_FOLDER : "/tmp",
    Hostname: "acme",
    Labels: {
      [HOST_LABEL]: hostId,
      "acme.session": sessionId,
      "acme.runtime": spec.id,
      "acme.environment": spec.environmentKey,
      "acme.bundle": spec.contentHash,
    },
    HostConfig: {
      NetworkMode: network,
      Memory: memory,
      // This limit covers memory and swap together, so there is no swap.
      MemorySwap: memory,
      NanoCpus: Math.floor(cpu * 1e9),
      PidsLimit: MAX_PIDS,
      // If the machine itself runs out of memory, runs are killed before the host's processes.
      OomScoreAdj: 500,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      ReadonlyRootfs: true,
      IpcMode: "private",
      Tmpfs: { "/tmp": `rw,nosuid,nodev,mode=1777,size=${Math.floor(memory / 2)}` },
      Mounts: [
        { Type: "bind", Source: channelDirectory, Target: PATHS.channel, ReadOnly: true },
        { Type: "bind", Source: spec.bundlePath, Target: bundle, ReadOnly: true },
        ...(hasOwnImage
          ? [{ Type: "bind" as const, Source: runtimePath, Target: PATHS.runtime, ReadOnly: true }]
          : []),
      ],
      LogConfig: {
        Type: "json-file",
        // A run that prints a lot neither fills the disk nor waits for it.
        Config: {
          "max-size": String(LOG_BYTES),
          "max-file": "2",
          mode: "non-blocking",
          "max-buffer-size": "1m",
        },
      },
      RestartPolicy: { Name: "no" },
    },
  };
}
