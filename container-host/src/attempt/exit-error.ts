import { internalError, MACHINES, type MachinePreset, type TaskRunError } from "@acme/sdk/contract";
import type { RuntimeExit } from "../executor/executor.ts";

const MAX_LINES = 20;
const MAX_CHARS = 2_000;
const HEAP_FULL = /JavaScript heap out of memory|FATAL ERROR: .*(heap|Allocation failed|out of memory)/i;

/**
 * Exits after V8's abort. As process 1 of a container, where SIGABRT has no effect, another signal ends it.
 */
const HEAP_SIGNALS = new Set(["SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV"]);

/** Containers report no signals: exit codes of 128 + n stand for them. */
const SIGNALS: Readonly<Record<number, string>> = {
  132: "SIGILL",
  133: "SIGTRAP",
  134: "SIGABRT",
  135: "SIGBUS",
  136: "SIGFPE",
  137: "SIGKILL",
  139: "SIGSEGV",
  143: "SIGTERM",
};

/** Returns the error of an attempt whose runtime ended without reporting an outcome. */
export function errorOfExit(exit: RuntimeExit, machine: MachinePreset): TaskRunError {
  const { code, output } = exit;
  const signal = exit.signal ?? (code === null ? null : (SIGNALS[code] ?? null));
  const said = lastLines(output);
  const limit = `${MACHINES[machine].memory} GB of ${machine}`;
  if (exit.startError !== undefined)
    return internalError(
      "TASK_EXECUTOR_FAILED",
      `The runtime could not be started: ${exit.startError.message}`,
    );
  if (signal !== null && HEAP_SIGNALS.has(signal) && HEAP_FULL.test(output)) {
    return internalError(
      "TASK_PROCESS_OOM_KILLED",
      `The JavaScript heap was full (${limit}). Choose a larger machine for the task, or use less memory.${said}`,
    );
  }
  if (exit.oomKilled) {
    return internalError(
      "TASK_PROCESS_OOM_KILLED",
      `The run used more than its memory limit (${limit}) and was killed. Choose a larger machine for the task, or use less memory.${said}`,
    );
  }
  if (signal === "SIGSEGV")
    return internalError("TASK_PROCESS_SIGSEGV", `The process crashed in native code (SIGSEGV)${said}`);
  if (signal === "SIGTERM")
    return internalError("TASK_PROCESS_SIGTERM", `The process was ended by SIGTERM${said}`);
  if (signal !== null)
    return internalError("TASK_PROCESS_CRASHED", `The process was ended by ${signal}${said}`);
  if (code === 0) {
    return internalError(
      "TASK_PROCESS_CRASHED",
      `The process ended with code 0 in the middle of the run: does the task call process.exit()?${said}`,
    );
  }
  return internalError(
    "TASK_PROCESS_EXITED_WITH_NON_ZERO_CODE",
    `The process ended with code ${code} in the middle of the run${said}`,
  );
}

function lastLines(output: string): string {
  const lines = output.trimEnd().split("\n").slice(-MAX_LINES).join("\n").slice(-MAX_CHARS).trim();
  return lines === "" ? "" : `\nIts last output:\n${lines}`;
}
