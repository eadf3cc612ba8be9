import {
  type PlatformLog,
  type PlatformLogLevel,
  platformLog,
  platformLogSettings,
} from "@acme/sdk/contract";

/** What the host has to say about itself, with the ids that it is about. Never what runs print. */
export type HostLog = PlatformLog;

/** Lines on standard error: for people on a terminal, JSON elsewhere (`LOG_FORMAT`), from `LOG_LEVEL` on. */
export function stderrLog(): HostLog {
  const settings = platformLogSettings(process.env, {
    level: "info",
    format: process.stderr.isTTY ? "pretty" : "json",
  });
  return platformLog(
    "host",
    () => settings,
    (line) => void process.stderr.write(`${line}\n`),
  );
}

/** Messages as they are, each with its level. */
export const logTo = (write: (level: PlatformLogLevel, message: string) => void): HostLog => ({
  debug: (message) => write("debug", message),
  info: (message) => write("info", message),
  warn: (message) => write("warn", message),
  error: (message) => write("error", message),
});
