import postgres from "postgres";

/**
 * It connects at the first query and keeps one connection for as long as it is used: in a Worker a connection belongs to
 * the request that opened it and ends with it, so a client isn't kept for longer (Hyperdrive keeps the connections to the
 * database).
 */
export const postgresClient = (url: string): postgres.Sql =>
  postgres(url, {
    max: 1,
    // Seconds. An object that falls silent gives its connection back.
    idle_timeout: 10,
    connect_timeout: 10,
    // It would ask for the types of arrays at each connect; none are used.
    fetch_types: false,
    onnotice: () => {},
  });
