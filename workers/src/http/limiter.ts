import { objectOf, type ShardBindings } from "@acme/durable-objects/routing";
import type { Bindings } from "../bindings.ts";
import type { LimiterRpc } from "./limiter-object.ts";

/**
 * Returns the token bucket of one name: the hash of a key, or something else that is limited, with its own
 * prefix.
 */
export const limiterOf = (env: Pick<Bindings, "LIMITER"> & ShardBindings, name: string): LimiterRpc =>
  objectOf(env, "LIMITER", env.LIMITER, name);
