import type { Bindings } from "../bindings.ts";
import type { LimiterRpc } from "./limiter-object.ts";

/** The token bucket of one name: the hash of a key, or what else is limited with a prefix of its own. */
export const limiterOf = (env: Pick<Bindings, "LIMITER">, name: string): LimiterRpc =>
  env.LIMITER.getByName(name);
