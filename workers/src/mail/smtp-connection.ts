import { connect } from "cloudflare:sockets";
import { newId } from "@acme/sdk/contract";
import { MAIL_DEADLINE_MS, type Mail, MailError, quoted } from "./mail.ts";
import { messageText } from "./message.ts";
import type { SmtpSettings } from "./settings.ts";
import { deliver, type Line } from "./smtp.ts";

/** The maximum size of unread replies of a server. */
const UNREAD = 64 * 1024;

/** Sends one mail over its own connection, within a deadline. */
export async function sendBySmtp(
  settings: SmtpSettings,
  mail: Mail,
  deadlineMs = MAIL_DEADLINE_MS,
): Promise<void> {
  const line = new SocketLine(settings);
  const message = messageText(mail, { from: settings.from, id: newId("mail"), date: new Date() });
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      deadline.reject(
        new MailError(
          `The mail server ${settings.hostname}:${settings.port} did not answer within ${deadlineMs / 1000} s.`,
        ),
      ),
    deadlineMs,
  );
  try {
    const delivered = deliver(line, settings, { to: mail.to, message });
    // It also ends with an error when the connection is closed below.
    delivered.catch(() => {});
    await Promise.race([delivered, deadline.promise]);
  } finally {
    clearTimeout(timer);
    line.close();
  }
}

type Ends = [ReadableStreamDefaultReader<Uint8Array>, WritableStreamDefaultWriter<Uint8Array>];

/**
 * The readable and writable side of a socket. A broken connection is detected by reads and writes, not by
 * waiting for its end.
 */
function ends(socket: Socket): Ends {
  const reader = socket.readable.getReader() as Ends[0];
  const writer = socket.writable.getWriter() as Ends[1];
  for (const end of [socket.opened, socket.closed, reader.closed, writer.closed]) end.catch(() => {});
  return [reader, writer];
}

class SocketLine implements Line {
  readonly #settings: SmtpSettings;
  #socket: Socket;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #secure: boolean;
  #unread = "";
  /** Nothing was sent yet, or nothing in TLS. */
  #silent = true;

  constructor(settings: SmtpSettings) {
    const { hostname, port, tls } = settings;
    this.#settings = settings;
    this.#secure = tls === "implicit";
    this.#socket = connect(
      { hostname, port },
      { secureTransport: { implicit: "on", starttls: "starttls", none: "off" }[tls], allowHalfOpen: false },
    );
    [this.#reader, this.#writer] = ends(this.#socket);
  }

  async read(): Promise<string> {
    for (;;) {
      const end = this.#unread.indexOf("\n");
      if (end >= 0) {
        const text = this.#unread.slice(0, end).replace(/\r$/, "");
        this.#unread = this.#unread.slice(end + 1);
        return text;
      }
      if (this.#unread.length > UNREAD)
        throw new MailError(`${this.#server} sends a response without an end.`);
      const { done, value } = await this.#reader.read().catch((error: unknown) => this.#failed(error));
      if (done) this.#failed("the connection is closed");
      this.#silent = false;
      this.#unread += Buffer.from(value).toString("latin1");
    }
  }

  async write(text: string): Promise<void> {
    await this.#writer.write(Buffer.from(text)).catch((error: unknown) => this.#failed(error));
  }

  async startTls(): Promise<void> {
    // Data received before TLS would otherwise count as received within it.
    if (this.#unread !== "") throw new MailError(`${this.#server} sent unexpected data before TLS.`);
    this.#reader.releaseLock();
    this.#writer.releaseLock();
    this.#secure = true;
    this.#silent = true;
    this.#socket = this.#socket.startTls();
    [this.#reader, this.#writer] = ends(this.#socket);
    await this.#socket.opened.catch((error: unknown) => this.#failed(error));
  }

  close(): void {
    // It may wait for data that the server never reads.
    this.#socket.close().catch(() => {});
  }

  get #server(): string {
    return `The mail server ${this.#settings.hostname}:${this.#settings.port}`;
  }

  #failed(error: unknown): never {
    const reason = quoted(error instanceof Error ? error.message : String(error));
    if (!this.#silent) throw new MailError(`${this.#server} ended the conversation: ${reason}.`);
    // The runtime's message about a failed handshake is not helpful.
    const why = this.#secure
      ? "could not be reached over TLS: its certificate is not trusted or not valid for this name, or the port does not use TLS"
      : "could not be reached, or closed the connection at once";
    throw new MailError(`${this.#server} ${why} (${reason}).`);
  }
}
