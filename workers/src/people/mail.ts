import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";

export interface Mail {
  to: string;
  subject: string;
  /** Plain text. */
  text: string;
}

/** Brings a mail to its recipient, or at least to the next server on its way. Rejects where it can't. */
export type SendMail = (mail: Mail) => Promise<void>;

/**
 * How this server sends mail: through an HTTP provider (the shape is that of Resend's API, which others share); on one
 * machine without one, it prints it for its operator. Links in mails lead to `PUBLIC_URL`: a Host header that anybody can
 * send is no address to put into somebody else's mail.
 */
export function mailerOf(env: Bindings): SendMail {
  if (env.MAIL_URL && env.MAIL_FROM && env.PUBLIC_URL) {
    const { MAIL_URL, MAIL_FROM, MAIL_TOKEN } = env;
    return (mail) => post(MAIL_URL, MAIL_TOKEN, { from: MAIL_FROM, ...mail });
  }
  if (env.BLOBS) return print;
  return () => {
    throw new Failure(
      503,
      "mail_not_configured",
      "This server can't send mail yet. Ask its operator for a sign-in link (`acme admin sign-in-link EMAIL`).",
    );
  };
}

async function post(url: string, token: string | undefined, mail: Mail & { from: string }): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify(mail),
    signal: AbortSignal.timeout(10_000),
  });
  if (response.ok) return;
  const answer = (await response.text()).slice(0, 300);
  throw new Error(`The mail provider answered ${response.status}: ${answer}`);
}

const print: SendMail = async ({ to, subject, text }) => {
  console.log(`Mail to ${to} (this server sends none): ${subject}\n${text}`);
};
