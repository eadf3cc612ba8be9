/** The address of a ClickHouse, from `CLICKHOUSE_URL`: `http(s)://USER:PASSWORD@HOST:PORT/DATABASE`. */
export interface ClickHouseAddress {
  /** The URL without user, password and path. */
  url: string;
  username: string;
  password: string;
  database: string;
}

const DEFAULT_DATABASE = "acme";
/** Names that need no quotes in a statement. */
const DATABASE = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

/** Returns the address, or what is wrong with it. */
export function parseClickHouseUrl(text: string): ClickHouseAddress | { problem: string } {
  const wrong = (why: string) => ({
    problem: `CLICKHOUSE_URL ${why}. It is http(s)://USER:PASSWORD@HOST:PORT/DATABASE, for example http://default:secret@127.0.0.1:8123/acme.`,
  });
  if (!URL.canParse(text)) return wrong("is no URL");
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return wrong("does not use http or https");
  if (url.search !== "" || url.hash !== "") return wrong("has parameters, which are not supported");
  const database = url.pathname.slice(1) || DEFAULT_DATABASE;
  if (!DATABASE.test(database))
    return wrong("names a database with other characters than letters, digits and _");
  try {
    return {
      url: url.origin,
      username: decodeURIComponent(url.username) || "default",
      password: decodeURIComponent(url.password),
      database,
    };
  } catch {
    return wrong("has a user or password that is not percent-encoded");
  }
}
