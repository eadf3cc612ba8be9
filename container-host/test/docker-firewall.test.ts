/** Addresses that containers can't reach, with a real Docker Engine and the machine's own firewall. */
import { spawnSync } from "node:child_process";
import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withDocker } from "../../tests/support/with-docker.ts";
import { chainOf, rulesOf } from "../src/executor/docker/firewall.ts";
import { type TestHost, testFolder, testHost, testServer } from "./support/host.ts";
import { hostProcess } from "./support/host-process.ts";

const sh = (command: string) => spawnSync("sh", ["-c", command], { encoding: "utf8" });
const canUseFirewall = (): boolean =>
  process.platform === "linux" && sh("command -v ip && iptables -n -L INPUT").status === 0 && withDocker();

/** This machine answers at this address, as a cloud does at its metadata address. */
const ADDRESS = `169.254.${process.pid % 250}.7`;
const PRIVATE_ADDRESS = `10.254.${process.pid % 250}.7`;

const rules = (): string => sh("iptables -S").stdout;

describe.skipIf(!canUseFirewall())("containers", { timeout: 120_000 }, () => {
  let metadata: Server;
  let port: number;

  beforeAll(async () => {
    for (const address of [ADDRESS, PRIVATE_ADDRESS]) sh(`ip addr add ${address}/32 dev lo`);
    metadata = createServer((socket) => socket.on("error", () => {}).end("secret"));
    port = await new Promise<number>((resolve) => {
      metadata.listen(0, "0.0.0.0", () => resolve((metadata.address() as { port: number }).port));
    });
  });
  afterAll(() => {
    for (const address of [ADDRESS, PRIVATE_ADDRESS]) sh(`ip addr del ${address}/32 dev lo`);
    metadata?.close();
  });

  const connect = ({ server }: TestHost, host: string): Promise<string> =>
    server.outputOf<string>(server.trigger("connects", { payload: { host, port } }));
  const callsApi = async ({ server }: TestHost): Promise<number> =>
    (await server.outputOf<{ status: number }>(server.trigger("asks-api"))).status;

  it("can't reach link-local addresses and the cloud's metadata, but everything else", async () => {
    const host = await testHost("docker");
    expect(await connect(host, ADDRESS)).not.toBe("open");
    expect(await connect(host, PRIVATE_ADDRESS)).toBe("open");
    expect(await callsApi(host)).toBe(200);
    expect(rules()).toContain(`-N ${chainOf(host.hostId)}`);
    expect(rules()).toMatch(new RegExp(`-A DOCKER-USER -i br-\\w+ -j ${chainOf(host.hostId)}`));
    await host.stop();
    expect(rules()).not.toContain(chainOf(host.hostId));
  });

  it("can't reach private addresses on request, except for the server", async () => {
    const host = await testHost("docker", { blockNetworks: "private" });
    expect(await connect(host, ADDRESS)).not.toBe("open");
    expect(await connect(host, PRIVATE_ADDRESS)).not.toBe("open");
    expect(await callsApi(host)).toBe(200);
  });

  it("get no rules if nothing should be blocked", async () => {
    const host = await testHost("docker", { blockNetworks: "none" });
    expect(rules()).not.toContain(chainOf(host.hostId));
    // That the address can't be reached is not asserted: all hosts of a machine share the bridge, and their rules.
  });

  it("are blocked once after a host that was killed is started again", async () => {
    const server = await testServer();
    const dataDir = testFolder();
    const first = hostProcess({ apiUrl: server.url, dataDir, args: ["--executor", "docker"] });
    const { hostId } = await first.ready;
    first.child.kill("SIGKILL");
    await first.exited;
    const before = rules();
    expect(before).toContain(chainOf(hostId));
    const host = await testHost("docker", { server, dataDir });
    expect(rules().split(chainOf(hostId)).length).toBe(before.split(chainOf(hostId)).length);
    expect(await connect(host, ADDRESS)).not.toBe("open");
    await host.stop();
    expect(rules()).not.toContain(chainOf(hostId));
  });

  it("are not blocked without iptables, which is a warning", async () => {
    const server = await testServer();
    const host = hostProcess({
      apiUrl: server.url,
      dataDir: testFolder(),
      args: ["--executor", "docker"],
      env: { PATH: "/nonexistent" },
    });
    const { metricsUrl } = await host.ready;
    const { warnings } = (await (await fetch(`${metricsUrl}/healthz`)).json()) as { warnings: string[] };
    expect(warnings).toEqual([
      expect.stringMatching(/^Containers can reach link-local and metadata addresses .*iptables/),
    ]);
    expect(host.errors()).toContain("WARN [host] Containers can reach link-local");
  });
});

describe("the rules", () => {
  it("let names be resolved and the server be called, then reject", () => {
    const [four, six] = rulesOf("private", "172.18.0.1", [{ address: "10.1.2.3", port: 8787 }]);
    expect(four?.rules.slice(0, 3)).toEqual([
      "-p udp -m udp --dport 53 -j RETURN",
      "-p tcp -m tcp --dport 53 -j RETURN",
      "-d 10.1.2.3/32 -p tcp -m tcp --dport 8787 -j RETURN",
    ]);
    expect(four?.rules).toContain("-d 169.254.0.0/16 -j REJECT");
    expect(four?.rules).toContain("-d 10.0.0.0/8 -j REJECT");
    expect(six?.rules).toContain("-p tcp -d fe80::/10 -j REJECT");
    expect(rulesOf("link-local", "172.18.0.1", [])[0]?.rules).not.toContain("-d 10.0.0.0/8 -j REJECT");
  });
});
