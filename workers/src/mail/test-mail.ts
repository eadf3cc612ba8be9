import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { MailError } from "./mail.ts";
import { mailerOf } from "./mailer.ts";

/**
 * Sends a test mail for the operator. Throws a 502 that says why it failed, or a 503 if no mail can be sent
 * at all.
 */
export async function sendTestMail(env: Bindings, to: string): Promise<void> {
  const send = mailerOf(env);
  try {
    await send({
      to,
      subject: "Acme can send mail",
      text: `The server ${env.PUBLIC_URL ?? ""} sent this to see whether its mails arrive. They do.`,
    });
  } catch (error) {
    if (error instanceof MailError) throw new Failure(502, "mail_failed", error.message);
    throw error;
  }
}
