import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RUNTIME_ENV, RUNTIME_PROTOCOL } from "@acme/sdk/contract";
import { HostError } from "../../errors.ts";
import { orLate } from "../../or-late.ts";
import type { RuntimeEvents, RuntimeExit, RuntimeSaving, RuntimeSpec } from "../executor.ts";
import type { RuntimeContainer } from "./container.ts";

/** How long the process may take to connect to its channel, after its start and after its restoration. */
const GREETING_MS = 20_000;
/** How long the containers may take to end; the host's next start removes what is left. */
const END_MS = 30_000;
const MACHINE = "micro";

/** Connects to its channel again and again, as an idle runtime does around its checkpoint, and then sends its `hello`. */
export const SELF_TEST_CODE = `const { connect } = require("node:net");
const { ${RUNTIME_ENV.channel}: channel, ${RUNTIME_ENV.channelToken}: token } = process.env;
const hello = JSON.stringify({ type: "hello", protocol: ${RUNTIME_PROTOCOL}, token, pid: process.pid });
const greet = () => {
  const socket = connect(channel.slice("unix:".length), () => socket.write(hello + "\\n"));
  socket.on("error", () => {}).on("close", () => setTimeout(greet, 50));
  socket.resume();
};
greet();`;

export interface SelfTestParts {
  /** A separate folder for the test. */
  folder: string;
  /** Aborted when the host stops. */
  signal: AbortSignal;
  /** Starts a container that runs SELF_TEST_CODE, restored from `savedIn` if that is given. */
  start(
    spec: RuntimeSpec,
    channelToken: string,
    events: RuntimeEvents,
    savedIn?: string,
  ): { container: RuntimeContainer; running: Promise<void> };
}

/** Saves and restores a small idle process. @throws HangError or Error if that fails */
export async function selfTest({
  folder,
  signal,
  start,
}: SelfTestParts): Promise<{ saveMs: number; restoreMs: number }> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "memory"), { recursive: true, mode: 0o700 });
  const bundlePath = join(folder, "bundle.mjs");
  writeFileSync(bundlePath, "");
  const token = randomBytes(24).toString("base64url");
  const started: { container: RuntimeContainer; running: Promise<void> }[] = [];
  const killAll = (): void => {
    for (const { container } of started) container.kill();
  };
  const begin = (id: string, savedIn?: string) => {
    signal.throwIfAborted();
    const greeted = Promise.withResolvers<void>();
    greeted.promise.catch(() => {});
    const ended = (exit: RuntimeExit): void =>
      greeted.reject(exit.startError ?? new Error(`its process ended with code ${exit.code}`));
    const spec: RuntimeSpec = {
      id,
      bundlePath,
      environmentKey: "self-test",
      contentHash: "self-test",
      machine: MACHINE,
      env: {},
    };
    const events = { onLine: () => greeted.resolve(), onChannelError: () => {}, onExit: ended };
    const run = start(spec, token, events, savedIn);
    started.push(run);
    return { ...run, greeted: greeted.promise };
  };
  signal.addEventListener("abort", killAll);
  try {
    const first = begin("self-test-1");
    await untilGreeted(first.greeted, "it did not start");
    const saving = first.container.saving as RuntimeSaving;
    saving.detach();
    const begun = performance.now();
    await saving.save(join(folder, "memory"));
    const saved = performance.now();
    const second = begin("self-test-2", join(folder, "memory"));
    await untilGreeted(second.greeted, "it did not continue after it was restored");
    return { saveMs: saved - begun, restoreMs: performance.now() - saved };
  } finally {
    signal.removeEventListener("abort", killAll);
    killAll();
    await orLate(Promise.all(started.map(({ running }) => running)), END_MS);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function untilGreeted(greeted: Promise<void>, problem: string): Promise<void> {
  if ((await orLate(greeted, GREETING_MS)) === "late") throw new HostError(problem);
}
