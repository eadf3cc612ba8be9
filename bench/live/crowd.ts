import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { Order, Report, States } from "./watchers.ts";

/** Watchers in separate processes, so that their cost is not part of the server's. */
export class Crowd {
  readonly #processes: ChildProcess[];

  constructor(processes: number) {
    this.#processes = Array.from({ length: processes }, () =>
      fork(join(import.meta.dirname, "watchers.ts"), { stdio: "inherit" }),
    );
  }

  get pids(): number[] {
    return this.#processes.map(({ pid }) => pid as number);
  }

  /** Opens `count` sockets, each with one subscription. Resolves once each is open or was refused. */
  async open(
    count: number,
    at: { url: string; token: string; target: object; atOnce?: number },
  ): Promise<Report> {
    const share = Math.ceil(count / this.#processes.length);
    let left = count;
    const reports = this.#processes.map((child) => {
      const mine = Math.min(share, left);
      left -= mine;
      return ask<Report>(child, { type: "open", atOnce: 16, ...at, count: mine });
    });
    return sum(await Promise.all(reports));
  }

  async report(): Promise<Report> {
    return sum(await Promise.all(this.#processes.map((child) => ask<Report>(child, { type: "report" }))));
  }

  /** How many watchers have each state. */
  async states(): Promise<States> {
    const all: States = {};
    for (const states of await Promise.all(
      this.#processes.map((child) => ask<States>(child, { type: "states" })),
    ))
      for (const [state, count] of Object.entries(states)) all[state] = (all[state] ?? 0) + count;
    return all;
  }

  /** Lets go of what came so far. */
  async forget(): Promise<void> {
    await Promise.all(this.#processes.map((child) => ask<Report>(child, { type: "forget" })));
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((child) => ask<Report>(child, { type: "close" })));
  }

  end(): void {
    for (const child of this.#processes) child.disconnect();
  }
}

/** Handles one order at a time. */
function ask<T>(child: ChildProcess, order: Order): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error("a process of watchers ended"));
    child.once("exit", ended);
    child.once("message", (answer) => {
      child.off("exit", ended);
      resolve(answer as T);
    });
    child.send(order);
  });
}

function sum(reports: Report[]): Report {
  const total: Report = { opened: 0, open: 0, failures: {}, messages: 0, bytes: 0, answered: 0, cpuMs: 0 };
  for (const report of reports) {
    for (const key of ["opened", "open", "messages", "bytes", "answered", "cpuMs"] as const)
      total[key] += report[key];
    for (const [reason, count] of Object.entries(report.failures))
      total.failures[reason] = (total.failures[reason] ?? 0) + count;
  }
  return total;
}
