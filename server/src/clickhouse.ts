import { setTimeout as delay } from "node:timers/promises";
import { type ClickHouseAddress, migrateClickHouse, parseClickHouseUrl } from "@acme/workers/clickhouse";
import { ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { messageOf, ServerError } from "./errors.ts";

const TIMEOUT_MS = 30_000;
/** How long a start waits for ClickHouse, which may be starting too. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 1_000;
const RETRY_LATER_MS = 15_000;

/** @throws ServerError if it is not the address of a ClickHouse */
export function clickhouseAddress(url: string): ClickHouseAddress {
  const address = parseClickHouseUrl(url);
  if ("problem" in address) throw new ServerError(address.problem);
  return address;
}

/**
 * Migrates the schema of a ClickHouse to the version that this server needs. Returns the steps that were
 * applied.
 */
export async function migrate({ url, username, password, database }: ClickHouseAddress): Promise<string[]> {
  const connect = (to: string) =>
    createClient({
      url,
      username,
      password,
      database: to,
      request_timeout: TIMEOUT_MS,
      log: { level: ClickHouseLogLevel.OFF },
    });
  const server = connect("default");
  const client = connect(database);
  try {
    return await migrateClickHouse(server, client, database);
  } finally {
    await Promise.all([server.close(), client.close()]);
  }
}

/**
 * Migrates while the server starts. Runs do not need ClickHouse: if it does not answer, the server starts
 * anyway, and this retries in the background until it does or `signal` is aborted.
 */
export async function migrateAtStart(
  address: ClickHouseAddress,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  const attempt = async (): Promise<string | null> => {
    try {
      const applied = await migrate(address);
      log(
        `[clickhouse] ${address.url} is ready${applied.length > 0 ? ` (schema: ${applied.join(", ")})` : ""}`,
      );
      return null;
    } catch (error) {
      return messageOf(error);
    }
  };
  const until = Date.now() + PATIENCE_MS;
  let problem = await attempt();
  while (problem !== null && Date.now() < until && !signal.aborted) {
    await delay(RETRY_MS, undefined, { signal }).catch(() => {});
    problem = await attempt();
  }
  if (problem === null || signal.aborted) return;
  log(
    `[clickhouse] ${address.url} can't be used: ${problem}. Runs go on; logs, traces and metrics wait until it answers.`,
  );
  void (async () => {
    do await delay(RETRY_LATER_MS, undefined, { signal, ref: false }).catch(() => {});
    while (!signal.aborted && (await attempt()) !== null);
  })();
}
