import type { LogRecord } from "@acme/sdk/contract";

export const LINES_OF_A_RUN = 100;
export const USERS = 100_000;

const MESSAGES: readonly ((n: number) => string)[] = [
  (n) => `Fetched page ${n % 97} of the catalogue in ${n % 1_913} ms`,
  (n) => `Payment of order-${n}x was accepted by the bank`,
  (n) => `Resized image ${n.toString(36)}.png to 800x600, ${n % 4_096} KB`,
  (n) => `Retrying the request to shard-${n % 5_000}x after a timeout`,
  (n) => `Wrote ${n % 500} rows to the warehouse`,
  (n) => `Customer ${n % 20_011} opened the invoice of order-${n}x`,
  (n) => `Cache miss for key catalogue:${n % 70_001}`,
  (n) => `Sent mail ${n.toString(16)} to queue outbound`,
  (n) => `Step finished: validate (attempt 1, ${n % 311} ms)`,
  (n) => `{"event":"tick","sequence":${n},"lag":${n % 17}}`,
];

const LEVELS: readonly LogRecord["level"][] = [
  "info",
  "info",
  "info",
  "debug",
  "info",
  "info",
  "warn",
  "info",
  "log",
  "info",
];

/** A line like those that tasks write: one of a few templates, with a number that few other lines contain. */
export function lineOf(row: number, time: number, runId: string): LogRecord {
  const mixed = (row * 2_654_435_761) % 4_294_967_296;
  return {
    time,
    level: mixed % 200 === 0 ? "error" : (LEVELS[mixed % 10] as LogRecord["level"]),
    message: (MESSAGES[mixed % 10] as (n: number) => string)(row),
    runId,
    attempt: 1,
    seq: (row % LINES_OF_A_RUN) + 1,
    properties: { user: `user-${mixed % USERS}`, region: `eu-${mixed % 3}`, ms: mixed % 1_000 },
  };
}
