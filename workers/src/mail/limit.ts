import type { Bindings } from "../bindings.ts";
import { limiterOf } from "../http/limiter.ts";

/** Mails to one address: the size of a burst, and the number per hour. */
const MAILS_PER_HOUR = 6;

/** Counts a mail to an address, whoever asks for it. False: there were enough. */
export async function mayMail(env: Pick<Bindings, "LIMITER">, address: string): Promise<boolean> {
  const limiter = limiterOf(env, `mail:${address}`);
  const taken = await limiter.take(1, { burst: MAILS_PER_HOUR, perSecond: MAILS_PER_HOUR / 3600 });
  return taken.granted > 0;
}
