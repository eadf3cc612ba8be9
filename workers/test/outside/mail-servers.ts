import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { join } from "node:path";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

const read = (name: string): string => readFileSync(join(import.meta.dirname, name), "utf8");

/** A certificate of `localhost`: the Worker of the tests trusts it (see vitest.config.ts), and nothing else does. */
const TLS = { key: read("localhost-key.pem"), cert: read("localhost-certificate.pem") };

export const MAIL_USER = { user: "acme@mail.test", password: "pass word/%ü" };

export interface Received {
  from: string;
  to: string[];
  raw: string;
  secure: boolean;
  user: string | null;
}

/** Real SMTP servers with different behavior, and one place to read everything that they received. */
export async function startMailServers() {
  const received: Received[] = [];
  const closing: (() => Promise<void>)[] = [];

  const smtp = async (options: SMTPServerOptions): Promise<number> => {
    const server = new SMTPServer({
      logger: false,
      closeTimeout: 100,
      onData(stream, session, callback) {
        const parts: Buffer[] = [];
        stream.on("data", (part: Buffer) => parts.push(part));
        stream.on("end", () => {
          const { mailFrom, rcptTo } = session.envelope;
          received.push({
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            raw: Buffer.concat(parts).toString(),
            secure: session.secure,
            user: (session.user as string | undefined) ?? null,
          });
          callback();
        });
      },
      onAuth({ username, password }, _session, callback) {
        if (username === MAIL_USER.user && password === MAIL_USER.password)
          callback(null, { user: username });
        else callback(new Error("Bad credentials"));
      },
      ...options,
    });
    // The tests include clients that disconnect.
    server.on("error", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    return (server.server.address() as AddressInfo).port;
  };

  /** A server that sends given responses, whatever the requests are. */
  const scripted = async (talk: (socket: Socket) => void): Promise<number> => {
    const sockets = new Set<Socket>();
    const server: TcpServer = createTcpServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      talk(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };

  const refusal = (code: number, text: string) => Object.assign(new Error(text), { responseCode: code });
  const open = { disabledCommands: ["STARTTLS", "AUTH"] };
  const ports = {
    plain: await smtp(open),
    starttls: await smtp({ ...TLS, authMethods: ["PLAIN", "LOGIN"] }),
    login: await smtp({ ...TLS, authMethods: ["LOGIN"] }),
    otherLogin: await smtp({ ...TLS, authMethods: ["XOAUTH2"] }),
    implicit: await smtp({ ...TLS, secure: true }),
    // Both use the package's own certificate, which is not valid for any name.
    untrusted: await smtp({ authOptional: true }),
    untrustedImplicit: await smtp({ secure: true, authOptional: true }),
    refusing: await smtp({
      ...open,
      onMailFrom: ({ address }, _session, callback) =>
        callback(address.startsWith("later") ? refusal(451, "Try again later") : null),
      onRcptTo: ({ address }, _session, callback) =>
        callback(address.startsWith("nobody") ? refusal(550, "No such mailbox\r\n250 fine") : null),
      onData: (stream, _session, callback) => {
        stream.resume();
        stream.on("end", () => callback(refusal(554, "This is spam")));
      },
    }),
    silent: await scripted(() => {}),
    stalling: await scripted((socket) => socket.write("220 hello\r\n")),
    closing: await scripted((socket) => socket.end("421 Too busy\r\n")),
    web: await scripted((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
    endless: await scripted((socket) => {
      const more = (): void => void (socket.writable && socket.write(`${"x".repeat(16_384)}`, more));
      more();
    }),
    // Sends additional data before TLS begins, which must not count as sent within TLS.
    injecting: await scripted((socket) => {
      socket.write("220 hello\r\n");
      socket.on("data", (data) =>
        socket.write(
          /^STARTTLS/.test(String(data)) ? "220 go\r\n250 injected\r\n" : "250-me\r\n250 STARTTLS\r\n",
        ),
      );
    }),
  };

  const provider = { authorization: "", body: "" };
  const web: Server = createServer((request, response) => {
    if (request.url?.startsWith("/received")) {
      const to = new URL(request.url, "http://mailbox").searchParams.get("to") ?? "";
      response.end(JSON.stringify(received.filter((mail) => mail.to.includes(to))));
    } else if (request.url === "/provider/last") response.end(JSON.stringify(provider));
    else if (request.url === "/provider/refusing") {
      response.writeHead(422).end('{"message":"The domain is not verified"}');
    } else if (request.url === "/provider/moved") {
      response.writeHead(302, { location: "/provider" }).end();
    } else if (request.url === "/provider") {
      let body = "";
      request.on("data", (part) => (body += part));
      request.on("end", () => {
        Object.assign(provider, { authorization: request.headers.authorization ?? "", body });
        response.end('{"id":"1"}');
      });
    }
    // All other commands are never answered.
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  closing.push(async () => {
    web.closeAllConnections();
    web.close();
  });
  return {
    ports,
    mailbox: `http://127.0.0.1:${(web.address() as AddressInfo).port}`,
    stop: async () => void (await Promise.all(closing.map((close) => close()))),
  };
}
