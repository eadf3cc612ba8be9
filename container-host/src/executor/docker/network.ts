import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type Docker from "dockerode";
import { HostError, messageOf } from "../../errors.ts";

const NAME = "acme-runs";

export interface RunNetwork {
  name: string;
  /** Its interface on this machine. */
  bridge: string;
  /** Address of this machine on it. */
  gateway: string;
}

/**
 * The network of all runs of this machine. They reach the outside and this machine's address on it, but not
 * each other (the bridge drops traffic between containers).
 */
export async function ensureNetwork(docker: Docker): Promise<RunNetwork> {
  const network = docker.getNetwork(NAME);
  let found = await network.inspect().catch(() => null);
  if (!found) {
    try {
      await docker.createNetwork({
        Name: NAME,
        Driver: "bridge",
        CheckDuplicate: true,
        Options: { "com.docker.network.bridge.enable_icc": "false" },
        Labels: { "acme.network": "runs" },
      });
    } catch (error) {
      // Another host of this machine has created it meanwhile.
      if ((error as { statusCode?: number }).statusCode !== 409) throw error;
    }
    found = await network.inspect();
  }
  if (found?.Options?.["com.docker.network.bridge.enable_icc"] !== "false") {
    throw new HostError(
      `The Docker network ${NAME} exists and lets containers reach each other. Remove it (docker network rm ${NAME}) and start the host again, which creates it.`,
    );
  }
  const gateway = found.IPAM?.Config?.[0]?.Gateway;
  if (!gateway)
    throw new HostError(
      `The Docker network ${NAME} has no gateway. Remove it (docker network rm ${NAME}) and start the host again, which creates it.`,
    );
  const bridge = found.Options?.["com.docker.network.bridge.name"] ?? `br-${found.Id.slice(0, 12)}`;
  return { name: NAME, bridge, gateway };
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/;

/** Returns whether a server at this URL can't be reached from a container. */
export const isLoopback = (url: string): boolean => LOOPBACK.test(new URL(url).hostname);

/**
 * Passes connections from containers on to a server that listens on this machine's loopback address. Only containers can
 * reach it, and the server authenticates every call.
 */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: URL;

  constructor(targetUrl: string) {
    this.#target = new URL(targetUrl);
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Returns the server's URL as containers reach it. */
  async listen(address: string): Promise<string> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once("error", reject);
        this.#server.listen(0, address, resolve);
      });
    } catch (error) {
      throw new HostError(
        `Containers can't reach ${this.#target.href}: listening on ${address} for them failed (${messageOf(error)}). Name an address that they can reach with --container-api-url.`,
      );
    }
    const url = new URL(this.#target);
    url.hostname = address;
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href.replace(/\/+$/, "");
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(socket: Socket): void {
    const { hostname, port, protocol } = this.#target;
    const target = connect({
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port) || (protocol === "https:" ? 443 : 80),
      noDelay: true,
    });
    for (const [from, to] of [
      [socket, target],
      [target, socket],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
