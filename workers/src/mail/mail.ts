export interface Mail {
  to: string;
  subject: string;
  /** Plain text. */
  text: string;
}

/** Brings a mail to its recipient, or at least to the next server on its way. Throws a MailError where it can't. */
export type SendMail = (mail: Mail) => Promise<void>;

/** A mail was not accepted. The message says by whom and why, and holds no password. */
export class MailError extends Error {}

/** How long a mail may take to be accepted, from the first byte to the last. */
export const MAIL_DEADLINE_MS = 20_000;

/** What a server said, as it can be logged and shown: one line of printable characters. */
export const quoted = (text: string): string =>
  text
    .replace(/[^\x20-\x7e]+/g, " ")
    .trim()
    .slice(0, 300);

/** Everything after a control character could be taken for a header of its own. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim();
