import { formatPlatformLog } from "@acme/sdk/contract";
import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { sendByHttp } from "./http-provider.ts";
import { MailError, oneLine, type SendMail } from "./mail.ts";
import { isAddress, mailSettings } from "./settings.ts";
import { sendBySmtp } from "./smtp-connection.ts";

type MailBindings = Pick<Bindings, "MAIL_URL" | "MAIL_FROM" | "MAIL_TOKEN" | "PUBLIC_URL" | "BLOBS">;

/**
 * The destination of this server's mails: their recipients, the server's output (on one machine), or none.
 */
export type MailDelivery = "sent" | "printed" | "none";

export function mailDelivery(env: MailBindings): MailDelivery {
  const settings = mailSettings(env);
  if (settings) return "problem" in settings ? "none" : "sent";
  return env.BLOBS ? "printed" : "none";
}

/**
 * Returns how this server sends mail. Links in mails use `PUBLIC_URL`: a Host header, which anybody can send,
 * must not get into somebody else's mail. Throws a 503 if no mail can be sent at all.
 */
export function mailerOf(env: MailBindings): SendMail {
  const settings = mailSettings(env);
  if (!settings) {
    if (env.BLOBS) return print;
    throw noMail("mail_not_configured", "This server can't send mail yet.");
  }
  if ("problem" in settings) throw noMail("mail_misconfigured", settings.problem);
  return async (mail) => {
    if (!isAddress(mail.to)) throw new MailError("This is not an address that mail can be sent to.");
    await (settings.kind === "http" ? sendByHttp(settings, mail) : sendBySmtp(settings, mail));
  };
}

const noMail = (code: string, reason: string): Failure =>
  new Failure(
    503,
    code,
    `${reason} Ask the server's operator for a sign-in link (\`acme admin sign-in-link EMAIL\`). Nothing was changed.`,
  );

/**
 * Writes to the server's output for its operator. This is the only log with a credential, a link that works
 * once.
 */
const print: SendMail = async ({ to, subject, text }) => {
  const message = `Mail to ${oneLine(to)} (this server sends none): ${oneLine(subject)}\n${text}`;
  console.log(
    formatPlatformLog(
      { time: new Date().toISOString(), level: "info", part: "mail", message, fields: {} },
      "json",
    ),
  );
};
