import { objectOf } from "@acme/durable-objects/routing";
import type { Bindings } from "../bindings.ts";
import { postgresRepository } from "./postgres-repository.ts";
import type { Repository } from "./repository.ts";
import { d1Repository } from "./sqlite-repository.ts";

/**
 * Returns the query side to which this Worker is bound: Postgres if there is a Hyperdrive, else D1, else the
 * database object. It is for one request or the life of one object, which own its connections.
 */
export function openRepository(env: Bindings): Repository {
  if (env.HYPERDRIVE) return postgresRepository(env.HYPERDRIVE.connectionString);
  if (env.DB) return d1Repository(env.DB);
  return objectOf(env, "DATABASE", env.DATABASE, "main") as unknown as Repository;
}
