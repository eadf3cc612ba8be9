import type { Bindings } from "../bindings.ts";
import { postgresRepository } from "./postgres-repository.ts";
import type { Repository } from "./repository.ts";
import { d1Repository } from "./sqlite-repository.ts";

/**
 * The query side this Worker is bound to: Postgres where there is a Hyperdrive, else D1, else the database object. For
 * one request, or the life of one object: what it opens belongs to those.
 */
export function openRepository(env: Bindings): Repository {
  if (env.HYPERDRIVE) return postgresRepository(env.HYPERDRIVE.connectionString);
  if (env.DB) return d1Repository(env.DB);
  return env.DATABASE.getByName("main") as unknown as Repository;
}
