export type LogLevel = "info" | "warn" | "error";

/** What the host has to say about itself, one line at a time. Never what runs print. */
export interface HostLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** Lines of `time LEVEL message` on standard error. */
export const stderrLog = (): HostLog =>
  logTo((level, message) => {
    process.stderr.write(`${new Date().toISOString()} ${level.toUpperCase()} ${message}\n`);
  });

export const logTo = (write: (level: LogLevel, message: string) => void): HostLog => ({
  info: (message) => write("info", message),
  warn: (message) => write("warn", message),
  error: (message) => write("error", message),
});
