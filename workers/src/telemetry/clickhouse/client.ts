import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client-web";
import type { Bindings } from "../../bindings.ts";
import { type ClickHouseAddress, parseClickHouseUrl } from "./settings.ts";

/** The timeout of one call, for which an API request waits. */
const TIMEOUT_MS = 20_000;

interface Opened {
  text: string;
  client: ClickHouseClient;
  database: string;
}

let opened: Opened | undefined;

/**
 * Returns a client of the address. It holds no connection: each call is a `fetch`, so requests and objects
 * may share it.
 */
export function clientOf(
  { url, username, password, database }: ClickHouseAddress,
  service?: Fetcher,
): ClickHouseClient {
  return createClient({
    url,
    ...(service ? { fetch: service.fetch.bind(service) } : {}),
    username,
    password,
    database,
    application: "acme",
    request_timeout: TIMEOUT_MS,
    keep_alive: { enabled: false },
    // Its own log would contain statements with users' search terms. Callers log failures.
    log: { level: ClickHouseLogLevel.OFF },
  });
}

type ClickHouseBindings = Pick<Bindings, "CLICKHOUSE_URL" | "CLICKHOUSE">;

export const hasClickHouse = (env: ClickHouseBindings): boolean => Boolean(env.CLICKHOUSE_URL);

/**
 * Returns the server's ClickHouse. Throws if its address is invalid; such a server answers no request
 * (auth/configuration.ts).
 */
export function openClickHouse(env: ClickHouseBindings): Opened {
  const text = env.CLICKHOUSE_URL ?? "";
  if (opened?.text === text) return opened;
  const address = parseClickHouseUrl(text);
  if ("problem" in address) throw new Error(address.problem);
  opened = { text, client: clientOf(address, env.CLICKHOUSE), database: address.database };
  return opened;
}
