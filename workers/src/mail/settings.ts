/** The Worker's variables for sending mail. */
export interface MailVariables {
  MAIL_URL?: string;
  MAIL_FROM?: string;
  MAIL_TOKEN?: string;
  PUBLIC_URL?: string;
}

export interface SmtpSettings {
  kind: "smtp";
  from: Sender;
  hostname: string;
  port: number;
  /** `implicit`: TLS from the first byte; `starttls`: TLS before anything else is sent; `none`: no TLS. */
  tls: "implicit" | "starttls" | "none";
  login: { user: string; password: string } | null;
  /** The name with which this server introduces itself. */
  name: string;
}

export interface HttpSettings {
  kind: "http";
  from: Sender;
  url: string;
  token: string | null;
}

export interface Sender {
  name: string;
  address: string;
}

/**
 * A single address without a display name, and without characters that have a meaning in headers or commands.
 */
const ADDRESS = /^[^\s<>()[\]\\,;:"@\p{Cc}]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/u;

export const isAddress = (text: string): boolean => ADDRESS.test(text);

/**
 * Returns how this server sends mail; null if it has no such settings; `problem` if they can't work.
 *  - `smtps://USER:PASSWORD@HOST` speaks TLS from the first byte (port 465);
 *  - `smtp://USER:PASSWORD@HOST` switches to TLS before it sends anything (port 587), and
 *    `smtp://HOST?tls=none` never does;
 *  - `https://…` is an HTTP provider. MAIL_TOKEN is its bearer token, or SMTP's password.
 */
export function mailSettings(env: MailVariables): SmtpSettings | HttpSettings | { problem: string } | null {
  if (!env.MAIL_URL) return null;
  const problem = (text: string) => ({ problem: `${text} No mail is sent.` });
  const url = URL.parse(env.MAIL_URL);
  if (!url || !/^(smtps?|https?):$/.test(url.protocol) || url.hostname === "") {
    return problem("MAIL_URL has to be smtp://…, smtps://… or https://….");
  }
  if (!env.PUBLIC_URL || !URL.canParse(env.PUBLIC_URL)) {
    return problem("PUBLIC_URL is missing: links in mails lead there.");
  }
  const from = senderOf(env.MAIL_FROM ?? "");
  if (!from) return problem("MAIL_FROM has to be an address, such as `Acme <no-reply@example.com>`.");
  if (/^https?:$/.test(url.protocol)) {
    return { kind: "http", from, url: env.MAIL_URL, token: env.MAIL_TOKEN || null };
  }
  const wanted = url.searchParams.get("tls");
  if (wanted !== null && (wanted !== "none" || url.protocol === "smtps:")) {
    return problem("The only choice that an smtp:// address has is ?tls=none.");
  }
  const tls = url.protocol === "smtps:" ? "implicit" : wanted === "none" ? "none" : "starttls";
  const user = decoded(url.username);
  const password = decoded(url.password);
  if (user === null || password === null) {
    return problem("A % in the user or password of MAIL_URL has to be written as %25.");
  }
  const secret = password || env.MAIL_TOKEN || "";
  if (user !== "" && secret === "") {
    return problem("MAIL_URL names a user: put their password into MAIL_TOKEN, or behind the name.");
  }
  return {
    kind: "smtp",
    from,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? { implicit: 465, starttls: 587, none: 25 }[tls] : Number(url.port),
    tls,
    login: user === "" ? null : { user, password: secret },
    name: new URL(env.PUBLIC_URL).hostname,
  };
}

/** `Name <address>`, or only the address. */
function senderOf(text: string): Sender | null {
  const match = /^\s*(?:([^<>]*?)\s*<([^<>]+)>|([^<>\s]+))\s*$/u.exec(text);
  const name = (match?.[1] ?? "").replace(/^"(.*)"$/, "$1");
  const address = match?.[2] ?? match?.[3] ?? "";
  return isAddress(address) && !/\p{Cc}/u.test(name) ? { name, address } : null;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
