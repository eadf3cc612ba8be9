import { log } from "@acme/durable-objects/lib/log";
import { eq } from "drizzle-orm";
import type { Bindings } from "../bindings.ts";
import { mayMail } from "../mail/limit.ts";
import type { SendMail } from "../mail/mail.ts";
import type { SqlConnection } from "../storage/sql-connection.ts";
import { maySignUp } from "./sign-up.ts";

/**
 * Mails a sign-in link if this address may sign in or sign up, and does nothing otherwise. It runs after the
 * response, so neither the response nor its timing reveals which addresses have accounts. Failures are
 * logged.
 */
export async function sendSignInLink(
  env: Bindings,
  connection: SqlConnection,
  send: SendMail,
  { email, url }: { email: string; url: string },
): Promise<void> {
  try {
    if (!(await mayReceiveLink(env, connection, email))) return;
    await send({
      to: email,
      subject: "Sign in to Acme",
      text: `Sign in with this link. It works once, for 15 minutes:\n\n${url}\n\nIf you did not request it, ignore this mail.`,
    });
  } catch (error) {
    log.error("A sign-in link was not mailed", { error });
  }
}

async function mayReceiveLink(env: Bindings, connection: SqlConnection, email: string): Promise<boolean> {
  const { users } = connection.tables;
  const known = await connection.db.select({ id: users.id }).from(users).where(eq(users.email, email));
  if (known.length === 0 && !(await maySignUp(env, connection, email))) return false;
  return mayMail(env, email);
}
