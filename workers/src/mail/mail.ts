export interface Mail {
  to: string;
  subject: string;
  /** Plain text. */
  text: string;
}

/** Delivers a mail to its recipient, or to the next server on its way. Throws a MailError if it can't. */
export type SendMail = (mail: Mail) => Promise<void>;

/** A mail was not accepted. The message says by which server and why, and contains no password. */
export class MailError extends Error {}

/** How long a mail may take to be accepted, from the first byte to the last. */
export const MAIL_DEADLINE_MS = 20_000;

/** Returns a server's reply in a form that can be logged and shown: one line of printable characters. */
export const quoted = (text: string): string =>
  text
    .replace(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, 300);

/** Text after a control character could be interpreted as a separate header. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim();
