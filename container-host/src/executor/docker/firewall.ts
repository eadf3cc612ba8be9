import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { lookup } from "node:dns/promises";
import { existsSync } from "node:fs";
import { isIPv4 } from "node:net";
import { promisify } from "node:util";
import { messageOf } from "../../errors.ts";
import type { HostLog } from "../../log.ts";
import type { BlockedNetworks } from "../../options.ts";

const execute = promisify(execFile);
/** How often the rules are checked, because reloading the machine's firewall removes them. */
const CHECK_MS = 30_000;
const COMMAND_MS = 10_000;

/** Link-local addresses, and the addresses at which clouds serve a machine's metadata and credentials. */
const METADATA = [
  "169.254.0.0/16",
  // Alibaba Cloud, Oracle Cloud, Azure.
  ...["100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"],
];
const METADATA_6 = ["fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128"];
const PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];
const PRIVATE_6 = ["fc00::/7"];

export interface FirewallOptions {
  hostId: string;
  /** The bridge that containers are connected to. */
  bridge: string;
  /** This machine's address on it. */
  gateway: string;
  blocked: BlockedNetworks;
  /** The address at which containers reach the server, which is never blocked. */
  apiUrl: string;
  log: HostLog;
}

/** Commands of one of the two tables: iptables for IPv4, ip6tables for IPv6. */
interface Family {
  command: "iptables" | "ip6tables";
  rules: string[];
}

/**
 * Keeps containers from addresses that expose secrets of the machine, with a separate chain in the filter
 * table for this host. `DOCKER-USER` (traffic of containers to other machines) and `INPUT` (traffic to this
 * one) jump to it.
 */
export class Firewall {
  readonly #options: FirewallOptions;
  readonly #chain: string;
  readonly #families: Family[];
  #bridge: string;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: FirewallOptions, families: Family[]) {
    this.#options = options;
    this.#chain = chainOf(options.hostId);
    this.#families = families;
    this.#bridge = options.bridge;
  }

  /**
   * Sets up the rules, replacing those that an earlier process of this host left behind. Returns null if
   * nothing is to be blocked, and the reason if blocking is not possible.
   */
  static async open(options: FirewallOptions): Promise<Firewall | null | { problem: string }> {
    if (options.blocked === "none") return null;
    if (!existsSync(`/sys/class/net/${options.bridge}`))
      return {
        problem: `this machine has no interface ${options.bridge}: is the Engine on another machine?`,
      };
    const allowed = await addressesOf(options.apiUrl, options.gateway);
    const firewall = new Firewall(options, rulesOf(options.blocked, options.gateway, allowed));
    try {
      await firewall.#ensure();
    } catch (error) {
      await firewall.close();
      return { problem: messageOf(error).trim().split("\n").at(-1) ?? "" };
    }
    firewall.#timer = setInterval(() => void firewall.#check(), CHECK_MS);
    firewall.#timer.unref();
    return firewall;
  }

  /** The network was created again, with another bridge. */
  async follow(bridge: string): Promise<void> {
    if (bridge === this.#bridge) return;
    await this.#removeJumps();
    this.#bridge = bridge;
    await this.#check();
  }

  /** Removes the rules that `open` set up. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#removeJumps();
    for (const { command } of this.#families) {
      await succeeds(command, ["-F", this.#chain]);
      await succeeds(command, ["-X", this.#chain]);
    }
  }

  async #removeJumps(): Promise<void> {
    for (const { command } of this.#families) {
      for (const from of await this.#parents(command)) {
        while (await succeeds(command, ["-D", from, ...this.#jump])) {
          // A rule that was inserted twice is removed twice.
        }
      }
    }
  }

  get #jump(): string[] {
    return ["-i", this.#bridge, "-j", this.#chain];
  }

  async #parents(command: Family["command"]): Promise<string[]> {
    // Without DOCKER-USER the Engine was started to leave the firewall alone, or has no IPv6.
    return [(await succeeds(command, ["-n", "-L", "DOCKER-USER"])) ? "DOCKER-USER" : "FORWARD", "INPUT"];
  }

  /**
   * @throws Error if iptables fails. Failures of ip6tables are ignored: containers have no IPv6 by default.
   */
  async #ensure(): Promise<void> {
    for (const { command, rules } of this.#families) {
      try {
        await this.#fill(command, rules);
        for (const from of await this.#parents(command)) {
          if (!(await succeeds(command, ["-C", from, ...this.#jump])))
            await run(command, ["-I", from, "1", ...this.#jump]);
        }
      } catch (error) {
        if (command === "iptables") throw error;
      }
    }
  }

  /** Replaces the contents of the chain atomically, so that containers are never without its rules. */
  async #fill(command: Family["command"], rules: string[]): Promise<void> {
    const lines = rules.map((rule) => `-A ${this.#chain} ${rule}`);
    const text = `*filter\n:${this.#chain} - [0:0]\n${lines.join("\n")}\nCOMMIT\n`;
    const child = execute(`${command}-restore`, ["--noflush", "-w", "5"], { timeout: COMMAND_MS });
    child.child.stdin?.end(text);
    await child;
  }

  async #check(): Promise<void> {
    try {
      if (!this.#closed) await this.#ensure();
    } catch (error) {
      this.#options.log.error(
        `The rules that keep containers from link-local addresses can't be set: ${messageOf(error)}`,
      );
    }
  }
}

/** At most 28 characters, and different for each host of a machine. */
export const chainOf = (hostId: string): string =>
  `ACME-${createHash("sha256").update(hostId).digest("hex").slice(0, 16)}`;

/**
 * Returns the rules of the chain in their order. `allowed`: IPv4 addresses that stay reachable in blocked
 * ranges.
 */
export function rulesOf(
  blocked: Exclude<BlockedNetworks, "none">,
  gateway: string,
  allowed: { address: string; port: number }[],
): Family[] {
  const reject = (range: string, protocol = ""): string => `${protocol}-d ${range} -j REJECT`;
  const isPrivate = blocked === "private";
  const ranges6 = [...METADATA_6, ...(isPrivate ? PRIVATE_6 : [])];
  return [
    {
      command: "iptables",
      rules: [
        // Some clouds serve names at their metadata address, and resolvers may have private addresses.
        ...["udp", "tcp"].map((protocol) => `-p ${protocol} -m ${protocol} --dport 53 -j RETURN`),
        ...allowed.map(({ address, port }) => `-d ${address}/32 -p tcp -m tcp --dport ${port} -j RETURN`),
        // Answers to connections from this machine.
        `-d ${gateway}/32 -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN`,
        ...[...METADATA, ...(isPrivate ? PRIVATE : [])].map((range) => reject(range)),
      ],
    },
    {
      command: "ip6tables",
      // Neighbor discovery, which is ICMP, uses link-local addresses.
      rules: ranges6.flatMap((range) => [reject(range, "-p tcp "), reject(range, "-p udp ")]),
    },
  ];
}

/** Returns the IPv4 addresses of the server, which may be in a private range. */
async function addressesOf(apiUrl: string, gateway: string): Promise<{ address: string; port: number }[]> {
  const { hostname, port, protocol } = new URL(apiUrl);
  const number = Number(port) || (protocol === "https:" ? 443 : 80);
  if (isIPv4(hostname)) return [{ address: hostname, port: number }];
  const found = await lookup(hostname, { all: true, family: 4 }).catch(() => []);
  return [...new Set(found.map(({ address }) => address).filter((address) => address !== gateway))].map(
    (address) => ({ address, port: number }),
  );
}

const run = (command: string, args: string[]) =>
  execute(command, ["-w", "5", ...args], { timeout: COMMAND_MS });

const succeeds = (command: string, args: string[]): Promise<boolean> =>
  run(command, args).then(
    () => true,
    () => false,
  );
