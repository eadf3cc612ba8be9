import { MailError, quoted } from "./mail.ts";
import type { SmtpSettings } from "./settings.ts";

/** A connection for the protocol: lines of text. */
export interface Line {
  /** Returns the next line without its line break. Rejects if the connection ends. */
  read(): Promise<string>;
  write(text: string): Promise<void>;
  /** Switches to TLS. Rejects if the server's certificate is invalid. */
  startTls(): Promise<void>;
}

interface Reply {
  code: number;
  lines: string[];
}

const REPLY_LINES = 100;

/**
 * Sends one message to a mail server by RFC 5321, with STARTTLS and AUTH. Throws a MailError that says what
 * the server refused.
 */
export async function deliver(
  line: Line,
  settings: SmtpSettings,
  { to, message }: { to: string; message: string },
): Promise<void> {
  const server = `The mail server ${settings.hostname}:${settings.port}`;

  async function reply(): Promise<Reply> {
    const lines: string[] = [];
    while (lines.length < REPLY_LINES) {
      const text = await line.read();
      const match = /^(\d{3})([ -]?)(.*)$/.exec(text);
      if (!match) throw new MailError(`${server} does not speak SMTP: it said "${quoted(text)}".`);
      lines.push(match[3] as string);
      if (match[2] !== "-") return { code: Number(match[1]), lines };
    }
    throw new MailError(`${server} sends a response without an end.`);
  }

  /** Sends a command and expects a reply of this kind; `what` names what the server otherwise refuses. */
  async function ask(command: string | null, expected: number, what: string): Promise<Reply> {
    if (command !== null) await line.write(`${command}\r\n`);
    const answer = await reply();
    if (Math.floor(answer.code / 100) === expected) return answer;
    const later = answer.code >= 400 && answer.code < 500 ? " for now" : "";
    throw new MailError(
      `${server} refused ${what}${later}: ${answer.code} ${quoted(answer.lines.join(" "))}`,
    );
  }

  const greet = async (): Promise<string[]> =>
    (await ask(`EHLO ${settings.name}`, 2, "the greeting")).lines.map((each) => each.toUpperCase());

  await ask(null, 2, "the connection");
  let offers = await greet();
  if (settings.tls === "starttls") {
    if (!offers.includes("STARTTLS")) {
      throw new MailError(
        `${server} offers no TLS. Use smtps:// if it uses TLS from the start, or add ?tls=none to MAIL_URL if the network is safe.`,
      );
    }
    await ask("STARTTLS", 2, "to change to TLS");
    await line.startTls();
    offers = await greet();
  }
  if (settings.login) await logIn(settings.login, offers, ask, server);
  await ask(`MAIL FROM:<${settings.from.address}>`, 2, `the sender ${settings.from.address}`);
  await ask(`RCPT TO:<${to}>`, 2, `the recipient ${to}`);
  await ask("DATA", 3, "the message");
  await ask(`${message.replace(/^\./gm, "..")}.`, 2, "the message");
  // The server has accepted the message, so later replies do not matter.
  await line.write("QUIT\r\n").catch(() => {});
}

async function logIn(
  { user, password }: { user: string; password: string },
  offers: string[],
  ask: (command: string, expected: number, what: string) => Promise<Reply>,
  server: string,
): Promise<void> {
  const methods = offers.find((each) => /^AUTH[ =]/.test(each))?.split(/[ =]/) ?? [];
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const what = `the user ${quoted(user)} or their password`;
  if (methods.includes("PLAIN")) {
    await ask(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`, 2, what);
  } else if (methods.includes("LOGIN")) {
    await ask("AUTH LOGIN", 3, what);
    await ask(base64(user), 3, what);
    await ask(base64(password), 2, what);
  } else {
    throw new MailError(`${server} offers no supported authentication method (PLAIN, LOGIN).`);
  }
}
