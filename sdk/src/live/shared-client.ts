import type { ApiRequestOptions } from "../client/request-options.ts";
import { LiveClient } from "./live-client.ts";
import type { LiveClientOptions } from "./live-options.ts";

export type LiveConnection = Pick<LiveClientOptions, "baseURL" | "accessToken" | "environment">;

/** Returns the options of a request to the same server with the same token. */
export async function requestOptionsOf({ baseURL, accessToken }: LiveConnection): Promise<ApiRequestOptions> {
  const token = typeof accessToken === "function" ? await accessToken() : accessToken;
  return {
    clientConfig: {
      ...(baseURL === undefined ? {} : { baseURL }),
      ...(token === undefined ? {} : { accessToken: token }),
    },
  };
}

interface Shared {
  connection: LiveConnection;
  client: LiveClient;
}

/** Clients that are in use. There are few, because a page or a process has few tokens. */
const shared = new Set<Shared>();

const isSame = (a: LiveConnection, b: LiveConnection): boolean =>
  a.baseURL === b.baseURL && a.accessToken === b.accessToken && a.environment === b.environment;

/**
 * Returns the one client of this page or process for a server and a token, so that all its subscriptions
 * share a connection. A client without subscriptions is dropped after a while, so callers request it whenever
 * a subscription begins.
 */
export function sharedClient(connection: LiveConnection): LiveClient {
  for (const known of shared) if (isSame(known.connection, connection)) return known.client;
  const client = new LiveClient(connection);
  const entry: Shared = { connection: { ...connection }, client };
  shared.add(entry);
  let wasUsed = false;
  const end = client.onStatus((status) => {
    if (status !== "idle" && status !== "refused") wasUsed = true;
    else if (wasUsed) {
      shared.delete(entry);
      end();
    }
  });
  return client;
}
