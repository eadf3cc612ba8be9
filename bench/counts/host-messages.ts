/**
 * Loaded into the container host by `node --import`: counts the messages and writes between it and its runtimes. At SIGUSR2 it
 * writes the counts since the last time to the file that BENCH_HOST_COUNTS names.
 */
import childProcess, { type ChildProcess } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import type { Duplex } from "node:stream";

const NEWLINE = 10;
const file = process.env.BENCH_HOST_COUNTS;

let counts: Record<string, number> = {};
const count = (what: string, n = 1): void => {
  counts[what] = (counts[what] ?? 0) + n;
};

function countLines(of: Uint8Array | string): number {
  let lines = 0;
  if (typeof of === "string") for (const character of of) lines += character === "\n" ? 1 : 0;
  else for (const byte of of) lines += byte === NEWLINE ? 1 : 0;
  return lines;
}

function watch(channel: Duplex): void {
  const write = channel.write.bind(channel) as (chunk: Uint8Array | string) => boolean;
  channel.write = (chunk: Uint8Array | string) => {
    count("writes to runtimes");
    count("messages to runtimes", countLines(chunk));
    return write(chunk);
  };
  channel.on("data", (chunk: Uint8Array) => {
    count("reads from runtimes");
    count("messages from runtimes", countLines(chunk));
  });
}

if (file) {
  const { spawn } = childProcess;
  childProcess.spawn = ((...args: Parameters<typeof spawn>): ChildProcess => {
    const child = spawn(...args);
    const channel = child.stdio?.[3];
    if (channel && "write" in channel) watch(channel as Duplex);
    return child;
  }) as typeof spawn;
  syncBuiltinESMExports();
  process.on("SIGUSR2", () => {
    writeFileSync(`${file}.new`, JSON.stringify(counts));
    renameSync(`${file}.new`, file);
    counts = {};
  });
}
