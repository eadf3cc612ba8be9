import { createHash, randomUUID } from "node:crypto";
import { accessSync, constants, mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HostImage, MACHINES, type MachinePreset } from "@acme/sdk/contract";
import Docker from "dockerode";
import { HostError, messageOf } from "../errors.ts";
import type { HostLog } from "../log.ts";
import { orLate } from "../or-late.ts";
import type { Resources } from "../resources.ts";
import { ChannelServer, SOCKET_NAME } from "./docker/channel-server.ts";
import { machineKind, type SavedFiles } from "./docker/checkpoint.ts";
import { RuntimeContainer } from "./docker/container.ts";
import { containerOptions, HOST_LABEL } from "./docker/container-options.ts";
import { killCriuOf } from "./docker/criu-calls.ts";
import { DeploymentImages } from "./docker/deployment-images.ts";
import { Firewall } from "./docker/firewall.ts";
import { ensureNetwork, isLoopback, Relay, type RunNetwork } from "./docker/network.ts";
import { ensureRuntimeImage } from "./docker/runtime-image.ts";
import { SELF_TEST_CODE, selfTest } from "./docker/self-test.ts";
import { memoryBytes } from "./environment.ts";
import type { Executor, RuntimeCheckpoints, RuntimeEvents, RuntimeHandle, RuntimeSpec } from "./executor.ts";
import type { ExecutorContext } from "./open.ts";
import { runtimeFile } from "./runtime-file.ts";

/** The maximum length of a Unix socket's path, without the final zero byte. */
const MAX_SOCKET_PATH = 107;
const PING_MS = 5_000;
const CLOSE_MS = 10_000;

/**
 * Runs runtimes in containers, each for one environment, limited by its machine preset and isolated from the
 * others.
 * @throws HostError, Error when the Engine does not answer or can't be used
 */
export async function dockerExecutor(
  context: ExecutorContext,
): Promise<{ executor: Executor; warnings: string[] }> {
  const { hostId, log, settings } = context;
  if (process.platform !== "linux") throw new HostError("the Docker executor needs a Linux machine");
  const docker = new Docker();
  await within(docker.ping(), PING_MS, "the Engine does not answer");
  const [info, image, network] = await Promise.all([
    docker.info() as Promise<EngineInfo>,
    ensureRuntimeImage(docker, log),
    ensureNetwork(docker),
  ]);
  const machine = { cpu: info.NCPU, memory: info.MemTotal };
  const capacity = {
    slots: settings.concurrency,
    cpu: machine.cpu * settings.cpuOvercommit,
    memory: machine.memory - settings.memoryReserve,
  };
  if (capacity.memory < memoryBytes("micro")) {
    throw new HostError(
      `--memory-reserve leaves ${Math.round(capacity.memory / 1024 ** 2)} MB of ${Math.round(machine.memory / 1024 ** 2)} MB to runs, which is less than the smallest machine preset needs. Choose a smaller reserve.`,
    );
  }
  const relay =
    settings.containerApiUrl === undefined && isLoopback(settings.apiUrl) ? new Relay(settings.apiUrl) : null;
  const apiUrl = settings.containerApiUrl ?? (relay ? await relay.listen(network.gateway) : settings.apiUrl);
  log.info(`Runs are executed in containers of ${image}; they reach the server at ${apiUrl}`);
  const warnings: string[] = [];
  const firewall = await Firewall.open({
    hostId,
    bridge: network.bridge,
    gateway: network.gateway,
    blocked: settings.blockNetworks,
    apiUrl,
    log,
  });
  if (firewall && "problem" in firewall) {
    const warning = `Containers can reach link-local and metadata addresses (169.254.169.254), which may reveal credentials of this machine: iptables can't block them (${firewall.problem}). Block them in another way, or start with --block-networks none.`;
    log.warn(warning);
    warnings.push(warning);
  }
  const executor = new DockerExecutor({
    firewall: firewall && "problem" in firewall ? null : firewall,
    docker,
    engineRoot: settings.checkpoints ? checkpointRoot(info, log) : null,
    kind: await machineKind(info.ServerVersion),
    image,
    network,
    relay,
    apiUrl,
    hostId,
    capacity,
    cores: machine.cpu,
    images: new DeploymentImages(docker, settings.imageCacheBytes, log),
    runtimePath: await runtimeFile(context.folders.runtime),
    sockets: socketFolder(context.folders.root),
    rebuild: () => ensureRuntimeImage(docker, log),
  });
  return { executor, warnings };
}

interface EngineInfo {
  NCPU: number;
  MemTotal: number;
  DockerRootDir: string;
  ExperimentalBuild: boolean;
  ServerVersion: string;
}

/**
 * Returns the folder in which the Engine looks for checkpoints; if processes can't be saved, logs why and
 * returns null.
 */
function checkpointRoot({ DockerRootDir, ExperimentalBuild }: EngineInfo, log: HostLog): string | null {
  if (!ExperimentalBuild) {
    log.info("Suspended runs are replayed, no process is saved: the Engine is not in experimental mode");
    return null;
  }
  try {
    accessSync(join(DockerRootDir, "containers"), constants.W_OK);
    return DockerRootDir;
  } catch {
    log.warn(
      `Suspended runs are replayed, no process is saved: this user can't write to ${DockerRootDir}/containers`,
    );
    return null;
  }
}

interface DockerParts {
  docker: Docker;
  /** Where the Engine keeps its containers. Null: it does not save processes. */
  engineRoot: string | null;
  /** See `RuntimeCheckpoints.kind`. */
  kind: string;
  image: string;
  network: RunNetwork;
  relay: Relay | null;
  firewall: Firewall | null;
  /** The address at which containers reach the server. */
  apiUrl: string;
  hostId: string;
  capacity: Resources;
  cores: number;
  images: DeploymentImages;
  /** The bundled runtime on this machine: images of deployments do not have it. */
  runtimePath: string;
  /** Folder of the channels' sockets. */
  sockets: string;
  rebuild(): Promise<string>;
}

class DockerExecutor implements Executor {
  readonly name = "docker";
  readonly startMs = 500;
  readonly apiUrl: string;
  readonly capacity: Resources;
  readonly checkpoints?: RuntimeCheckpoints;
  readonly #parts: DockerParts;
  readonly #sessionId = randomUUID();
  /** Work that has to end before the executor is closed: containers until their removal, and self-tests. */
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(parts: DockerParts) {
    this.#parts = parts;
    this.apiUrl = parts.apiUrl;
    this.capacity = parts.capacity;
    const { engineRoot, kind } = parts;
    if (engineRoot === null) return;
    this.checkpoints = {
      kind,
      get image() {
        return parts.image;
      },
      restore: ({ bytes, channelToken, folder, image, spec }, bundlePath, events) =>
        this.#run({ ...spec, bundlePath }, image, channelToken, events, {
          saved: { bytes, folder, engineRoot },
        }).container,
      selfTest: () =>
        this.#untilOver(
          selfTest({
            folder: join(parts.sockets, "self-test"),
            signal: this.#closing.signal,
            start: (spec, token, events, folder) =>
              this.#run(spec, parts.image, token, events, {
                code: SELF_TEST_CODE,
                ...(folder === undefined ? undefined : { saved: { folder, bytes: 0, engineRoot } }),
              }),
          }),
        ),
      stop: () => this.#closing.abort(new Error("The host is stopping")),
    };
  }

  /** A preset that is larger than the machine gets all of it. */
  cost(machine: MachinePreset): Resources {
    return {
      slots: 1,
      cpu: Math.min(MACHINES[machine].cpu, this.#parts.cores),
      memory: Math.min(memoryBytes(machine), this.capacity.memory),
    };
  }

  ensureImage(image: HostImage): Promise<string> {
    return this.#parts.images.ensure(image);
  }

  start(spec: RuntimeSpec, channelToken: string, events: RuntimeEvents): RuntimeHandle {
    return this.#run(spec, this.#parts.image, channelToken, events).container;
  }

  #run(
    spec: RuntimeSpec,
    image: string,
    channelToken: string,
    events: RuntimeEvents,
    { code, saved }: { /** Code that runs instead of the runtime. */ code?: string; saved?: SavedFiles } = {},
  ): { container: RuntimeContainer; running: Promise<void> } {
    const { apiUrl, docker, engineRoot, hostId, network, runtimePath, sockets } = this.#parts;
    const channelDirectory = join(sockets, spec.id);
    const channel = new ChannelServer(channelDirectory, channelToken, events);
    const container = new RuntimeContainer(channel, events, {
      canBeSaved: engineRoot !== null,
      closing: this.#closing.signal,
    });
    const { cpu, memory } = this.cost(spec.machine);
    const options = containerOptions({
      spec,
      image,
      network: network.name,
      apiUrl,
      channelToken,
      channelDirectory,
      hostId,
      sessionId: this.#sessionId,
      cpu,
      memory: Math.floor(memory),
      runtimePath,
      code,
    });
    return { container, running: this.#untilOver(container.run(docker, options, saved)) };
  }

  #untilOver<T>(work: Promise<T>): Promise<T> {
    const settled = work.finally(() => this.#running.delete(settled));
    this.#running.add(settled);
    return settled;
  }

  async cleanUp(): Promise<number> {
    const { docker, hostId, sockets } = this.#parts;
    const found = await docker.listContainers({
      all: true,
      filters: { label: [`${HOST_LABEL}=${hostId}`] },
    });
    await Promise.all(
      found.map(({ Id }) => {
        // A killed host can leave a hanging CRIU behind, and the Engine can't remove its container before
        // CRIU ends.
        killCriuOf(Id, { withRuntime: true });
        return docker
          .getContainer(Id)
          .remove({ force: true, v: true })
          .catch(() => {});
      }),
    );
    rmSync(sockets, { recursive: true, force: true });
    mkdirSync(sockets, { recursive: true, mode: 0o700 });
    return found.length;
  }

  /** Resolves when nothing runs. A self-test that ends may have started another container meanwhile. */
  async #over(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  async probe(): Promise<void> {
    const { docker, rebuild } = this.#parts;
    await within(docker.ping(), PING_MS, "the Engine does not answer");
    // The image or the network may have been removed.
    this.#parts.image = await rebuild();
    this.#parts.network = await ensureNetwork(docker);
    await this.#parts.firewall?.follow(this.#parts.network.bridge);
  }

  async close(): Promise<void> {
    this.checkpoints?.stop();
    // Waits for the removal of containers. A hanging Engine must not keep the host from stopping; the next
    // start removes them.
    await orLate(this.#over(), CLOSE_MS);
    this.#parts.relay?.close();
    await this.#parts.firewall?.close();
    rmSync(this.#parts.sockets, { recursive: true, force: true });
  }
}

/** Creates a folder with a path short enough for sockets in it, which other users can't enter. */
function socketFolder(root: string): string {
  const folder = join(root, "s");
  const longest = join(folder, "4194304-999999999", SOCKET_NAME);
  if (Buffer.byteLength(longest) <= MAX_SOCKET_PATH) return folder;
  return join(tmpdir(), `acme-${createHash("sha256").update(root).digest("hex").slice(0, 16)}`);
}

async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HostError(what)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    throw error instanceof HostError ? error : new Error(messageOf(error) || what, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
