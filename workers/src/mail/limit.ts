import type { Bindings } from "../bindings.ts";
import { limiterOf } from "../http/limiter.ts";

/** Mails to one address: the size of a burst, and the number per hour. */
const MAILS_PER_HOUR = 6;

/** Counts a mail to an address, regardless of who requested it. Returns false if the limit is reached. */
export async function mayMail(env: Pick<Bindings, "LIMITER">, address: string): Promise<boolean> {
  const limiter = limiterOf(env, `mail:${address}`);
  const taken = await limiter.take(1, { burst: MAILS_PER_HOUR, perSecond: MAILS_PER_HOUR / 3600 });
  return taken.granted > 0;
}
