import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { untilQuiet } from "../quiet.ts";
import { NullHost } from "../scale/host.ts";
import { Place } from "../scale/place.ts";
import { type AcmeServer, startAcmeServer } from "../systems/acme-process.ts";

/** Starts a separate server with one environment and a host that executes nothing. */
export class Setting {
  readonly folder: string;
  readonly server: AcmeServer;
  readonly host: NullHost;
  readonly place: Place;
  /** Where live connections are opened. */
  readonly url: string;
  /** Pid of workerd. */
  readonly worker: number;
  readonly #ownHost: number;

  private constructor(folder: string, server: AcmeServer, host: NullHost, place: Place) {
    this.folder = folder;
    this.server = server;
    this.host = host;
    this.place = place;
    this.url = `${server.access.apiUrl.replace("http", "ws")}/api/v1/live`;
    const { worker, host: ownHost } = server.pids();
    this.worker = worker;
    this.#ownHost = ownHost;
  }

  static async start(env: Record<string, string> = {}): Promise<Setting> {
    const folder = mkdtempSync(join(tmpdir(), "acme-bench-live-"));
    const server = await startAcmeServer(folder, { env });
    process.kill(server.pids().host, "SIGSTOP");
    const credential = readFileSync(join(folder, "host/host-credential"), "utf8").trim();
    const host = new NullHost(server.access.apiUrl, credential);
    const place = await Place.create(server, folder, 1);
    await host.begin();
    return new Setting(folder, server, host, place);
  }

  async stop(): Promise<void> {
    process.kill(this.#ownHost, "SIGCONT");
    await this.host.close();
    await this.place.close();
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Waits until workerd has finished what it was given. */
  quiet = (): Promise<void> => untilQuiet([{ serverPids: () => [this.worker], workerPids: () => [] }]);

  /** Megabytes of workerd in memory. */
  memory(): number {
    const status = readFileSync(`/proc/${this.worker}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024;
  }

  /** Triggers runs at a steady rate. Resolves when they are over. */
  async runs(tag: string, perSecond: number, forSeconds: number): Promise<void> {
    const count = perSecond * forSeconds;
    const began = performance.now();
    const working = this.host.work(count);
    const pending: Promise<void>[] = [];
    for (let n = 0; n < count; n++) {
      const due = began + (n * 1_000) / perSecond;
      if (due > performance.now()) await sleep(due - performance.now());
      pending.push(this.place.trigger({ tags: [tag] }));
    }
    await Promise.all([...pending, working]);
  }
}
