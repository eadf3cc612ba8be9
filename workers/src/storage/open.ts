import { drizzle } from "drizzle-orm/d1";
import type { Bindings } from "../bindings.ts";
import type { Repository } from "./repository.ts";
import { SqliteRepository } from "./sqlite-repository.ts";

/** The query side this Worker is bound to: D1 where there is one, else the database object. */
export function openRepository(env: Bindings): Repository {
  if (env.DB) return new SqliteRepository(drizzle(env.DB));
  return env.DATABASE.getByName("main") as unknown as Repository;
}
