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

/** How this server sends mail: on one machine without a way to, it prints it for its operator. */
export function mailerOf(env: Bindings): SendMail {
  if (env.BLOBS) return print;
  return () => {
    throw new Failure(
      503,
      "mail_not_configured",
      "This server can't send mail yet. Ask its operator for a sign-in link (`acme admin sign-in-link EMAIL`).",
    );
  };
}

const print: SendMail = async ({ to, subject, text }) => {
  console.log(`Mail to ${to} (this server sends none): ${subject}\n${text}`);
};
