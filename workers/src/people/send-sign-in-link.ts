import { eq } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import { limiterOf } from "../http/limiter.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { mailerOf } from "./mail.ts";
import { maySignUp } from "./sign-up.ts";

/** Mails to one address: the size of a burst, and the number per hour. */
const MAILS_PER_HOUR = 6;

/**
 * Mails a sign-in link if this address may sign in or sign up. Otherwise it does nothing. The caller gets the
 * same answer either way, so that the answer does not reveal which addresses have accounts.
 */
export async function sendSignInLink(
  env: Bindings,
  connection: SqlConnection,
  { email, url }: { email: string; url: string },
): Promise<void> {
  const { users } = connection.tables;
  const known = await connection.db.select({ id: users.id }).from(users).where(eq(users.email, email));
  if (known.length === 0 && !(await maySignUp(env, connection, email))) return;
  const limiter = limiterOf(env, `mail:${email}`);
  const taken = await limiter.take(1, { burst: MAILS_PER_HOUR, perSecond: MAILS_PER_HOUR / 3600 });
  if (taken.granted === 0) return;
  await mailerOf(env)({
    to: email,
    subject: "Sign in to Acme",
    text: `Sign in with this link. It works once, for 15 minutes:\n\n${url}\n\nIf you did not ask for it, do nothing.`,
  });
}
