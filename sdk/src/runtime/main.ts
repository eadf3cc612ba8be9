/**
 * The program inside a container or child process: connects to the host, imports the project's bundle and
 * executes the runs that the host sends. Started as `node main.ts`, or bundled into one file. Its environment
 * variables are RUNTIME_ENV of the contract.
 *
 * What the host observes when the process ends without reporting:
 *  - the task called `process.exit(n)`: exit code n (logs and `started` were still sent);
 *  - the V8 heap is full: stderr has "FATAL ERROR: … JavaScript heap out of memory", then SIGABRT (or exit code 134 in a
 *    container: the shell convention 128 + 6);
 *  - the container's memory limit: SIGKILL, exit code 137, and Docker's `State.OOMKilled` is true;
 *  - a crash in native code: SIGSEGV, exit code 139;
 *  - the channel ended: exit code 0, because then the host itself is gone.
 * An error that nobody caught is reported as the run's failure with `exiting: true`, then the process exits
 * with 1; with no run in progress it is printed and the process exits with 1.
 */
import { pathToFileURL } from "node:url";
import type { RUNTIME_ENV, RUNTIME_PROTOCOL } from "../contract/runtime-protocol.ts";
import { shortMessage, shortStack } from "../run/run-error.ts";
import { Channel } from "./channel.ts";
import { captureConsole } from "./console-capture.ts";
import { makeRecordable } from "./recording.ts";
import { Runner } from "./runner.ts";
import { applyTelemetrySettings, registerTelemetry } from "./telemetry/setup.ts";

// The contract's values are repeated here: importing them would load zod, which takes longer than the rest of
// the start.
const ENV: Pick<typeof RUNTIME_ENV, "channel" | "channelToken" | "bundle"> = {
  channel: "ACME_CHANNEL",
  channelToken: "ACME_CHANNEL_TOKEN",
  bundle: "ACME_BUNDLE",
};
const PROTOCOL: typeof RUNTIME_PROTOCOL = 1;

function variable(name: string): string {
  const value = process.env[name];
  if (!value) {
    process.stderr.write(
      `The runtime needs the environment variable ${name}. It is started by a container host\n`,
    );
    process.exit(1);
  }
  return value;
}

const address = variable(ENV.channel);
const token = variable(ENV.channelToken);
const bundle = variable(ENV.bundle);
// Neither tasks nor the processes they start may use the channel.
delete process.env[ENV.channel];
delete process.env[ENV.channelToken];

// For process 1 of a container, signals have no default action.
if (process.pid === 1) process.on("SIGTERM", () => process.exit(143));

const channel = new Channel(
  address,
  { type: "hello", protocol: PROTOCOL, token, pid: process.pid },
  (message) => runner.receive(message),
  () => process.exit(0),
);
const runner = new Runner(channel);

process.on("exit", () => {
  runner.flush();
  channel.flushSync();
});
const onUncaught = (error: unknown): void => {
  if (runner.isExpected(error)) return;
  console.error("Uncaught:", error);
  if (!runner.uncaught(error)) process.exit(1);
};
process.on("uncaughtException", onUncaught);
process.on("unhandledRejection", onUncaught);

captureConsole();
makeRecordable();
registerTelemetry();
process.setSourceMapsEnabled(true);
try {
  await import(pathToFileURL(bundle).href);
  applyTelemetrySettings();
  channel.send({ type: "ready" });
} catch (error) {
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  channel.send({
    type: "broken",
    message: shortMessage(`The bundle could not be imported: ${message}`),
    stackTrace: error instanceof Error ? shortStack(error.stack) : undefined,
  });
  await channel.drained();
  process.exit(1);
}
