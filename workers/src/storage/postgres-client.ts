import postgres from "postgres";

/**
 * Connects at the first query and keeps one connection while it is used. In a Worker a connection belongs to
 * the request that opened it and ends with it, so a client isn't kept longer (Hyperdrive keeps the
 * connections to the database).
 */
export const postgresClient = (url: string): postgres.Sql =>
  postgres(url, {
    max: 1,
    // Seconds. An idle object returns its connection.
    idle_timeout: 10,
    connect_timeout: 10,
    // The client would query the types of arrays at each connect, but none are used.
    fetch_types: false,
    onnotice: () => {},
  });
