import { styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** Applies a style if standard output is a terminal that shows colors. Respects NO_COLOR and FORCE_COLOR. */
export const style = (format: Format, text: string): string =>
  styleText(format, text, { stream: process.stdout });

/** True if standard output is an interactive terminal; false in pipes, files and CI. */
export const isInteractive = (): boolean => process.stdout.isTTY === true;

/** Returns the columns of the terminal; 0 if there is none, so that nothing is cut in pipes and files. */
export const terminalWidth = (): number => (isInteractive() ? (process.stdout.columns ?? 80) : 0);

const STATUS_FORMATS: Record<string, Format> = {
  COMPLETED: "green",
  EXECUTING: "cyan",
  WAITING: "magenta",
  QUEUED: "yellow",
  DELAYED: "yellow",
  DEQUEUED: "yellow",
  PENDING_VERSION: "yellow",
  CANCELED: "gray",
  EXPIRED: "gray",
};

/** The color of a run's status. Every status that is not listed means that the run failed. */
export const statusFormat = (status: string): Format => STATUS_FORMATS[status] ?? "red";
