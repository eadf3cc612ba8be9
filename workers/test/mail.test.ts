import type { CreateInvitationResponse } from "@acme/sdk/contract/api";
import { describe, expect, it } from "vitest";
import type { Bindings } from "../src/bindings.ts";
import { MailError } from "../src/mail/mail.ts";
import { mailDelivery, mailerOf } from "../src/mail/mailer.ts";
import { messageText } from "../src/mail/message.ts";
import { mailSettings, type SmtpSettings } from "../src/mail/settings.ts";
import { sendBySmtp } from "../src/mail/smtp-connection.ts";
import { ADMIN_TOKEN } from "./client.ts";
import { request } from "./configured.ts";
import { outside, receivedBy, textOf } from "./outside.ts";
import { anEmail, ORIGIN, open, signIn, signInLink } from "./person.ts";

const { ports } = outside;
const USER = { user: "acme@mail.test", password: "pass word/%ü" };
const LOGIN = `${encodeURIComponent(USER.user)}:${encodeURIComponent(USER.password)}@`;
const COMMON = { MAIL_FROM: "Acme <no-reply@acme.test>", PUBLIC_URL: "http://acme.test" };

const variables = (url: string, more = {}) => ({ ...COMMON, MAIL_URL: url, ...more });

function smtp(url: string, more = {}): SmtpSettings {
  const settings = mailSettings(variables(url, more));
  if (settings === null || "problem" in settings || settings.kind !== "smtp") {
    throw new Error(JSON.stringify(settings));
  }
  return settings;
}

const aMail = (to = anEmail()) => ({ to, subject: "Hello", text: "One line\n.\n..and a dot\n" });

/** Returns why a mail was not sent. */
async function refusal(url: string, mail = aMail(), more = {}, deadlineMs?: number): Promise<string> {
  const error = await sendBySmtp(smtp(url, more), mail, deadlineMs).then(
    () => new Error("It was sent"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MailError);
  const { message } = error as MailError;
  // Nothing with which somebody could sign in.
  expect(message).not.toContain(USER.password);
  return message;
}

describe("mail by SMTP", () => {
  it.each([
    ["without TLS, where that is asked for", `smtp://127.0.0.1:${ports.plain}?tls=none`, false, null],
    ["after STARTTLS, signed in", `smtp://${LOGIN}localhost:${ports.starttls}`, true, USER.user],
    ["by AUTH LOGIN", `smtp://${LOGIN}localhost:${ports.login}`, true, USER.user],
    ["in TLS from the first byte", `smtps://${LOGIN}localhost:${ports.implicit}`, true, USER.user],
  ])("arrives %s", async (_, url, secure, user) => {
    const mail = aMail();
    await sendBySmtp(smtp(url), mail);
    const [received, ...more] = await receivedBy(mail.to);
    expect(more).toEqual([]);
    expect(received).toMatchObject({ from: "no-reply@acme.test", secure, user });
    expect(textOf(received!)).toBe(mail.text.replaceAll("\n", "\r\n"));
    expect(received!.raw).toMatch(/^From: Acme <no-reply@acme\.test>\r\nTo: .*\r\nSubject: Hello\r\n/);
  });

  it("takes the password from its own variable", async () => {
    const mail = aMail();
    const url = `smtp://${encodeURIComponent(USER.user)}@localhost:${ports.starttls}`;
    await sendBySmtp(smtp(url, { MAIL_TOKEN: USER.password }), mail);
    expect(await receivedBy(mail.to)).toHaveLength(1);
  });

  it("is sent to no server with an invalid certificate", async () => {
    const mail = aMail();
    for (const url of [
      `smtp://localhost:${ports.untrusted}`,
      `smtps://localhost:${ports.untrustedImplicit}`,
      // The certificate is valid for another name.
      `smtps://${LOGIN}127.0.0.2:${ports.implicit}`,
    ]) {
      expect(await refusal(url, mail)).toMatch(/certificate is not trusted or not valid for this name/);
    }
    expect(await receivedBy(mail.to)).toEqual([]);
  });

  it("is sent to no server without TLS, except on request", async () => {
    expect(await refusal(`smtp://localhost:${ports.plain}`)).toMatch(/offers no TLS.*\?tls=none/);
    expect(await refusal(`smtp://localhost:${ports.injecting}`)).toMatch(/sent unexpected data before TLS/);
  });

  it("says that the password is wrong, or that there is no supported authentication method", async () => {
    const wrong = `smtp://someone:wrong@localhost:${ports.starttls}`;
    expect(await refusal(wrong)).toMatch(/refused the user someone or their password: 535/);
    expect(await refusal(`smtp://someone:wrong@localhost:${ports.login}`)).toMatch(/535/);
    expect(await refusal(`smtp://${LOGIN}localhost:${ports.otherLogin}`)).toMatch(
      /no supported authentication method/,
    );
  });

  it("says what a server refuses, and whether temporarily", async () => {
    const url = `smtp://localhost:${ports.refusing}?tls=none`;
    const later = await refusal(url, aMail(), { MAIL_FROM: "later@acme.test" });
    expect(later).toMatch(/refused the sender later@acme\.test for now: 451 Try again later/);
    const nobody = await refusal(url, aMail("nobody@acme.test"));
    expect(nobody).toMatch(/refused the recipient nobody@acme\.test: 550 No such mailbox/);
    expect(nobody).not.toMatch(/[\r\n]/);
    expect(await refusal(url)).toMatch(/refused the message: 554 This is spam/);
    expect(await refusal(`smtp://localhost:${ports.closing}?tls=none`)).toMatch(
      /refused the connection for now: 421/,
    );
  });

  it("gives up on a server that does not answer, never ends its response, or is not a mail server", async () => {
    expect(await refusal(`smtp://localhost:${ports.silent}?tls=none`, aMail(), {}, 300)).toMatch(
      /did not answer within 0\.3 s/,
    );
    // It waits for a greeting that comes in TLS only.
    expect(await refusal(`smtps://localhost:${ports.silent}`, aMail(), {}, 300)).toMatch(/did not answer/);
    expect(await refusal(`smtp://localhost:${ports.stalling}`, aMail(), {}, 300)).toMatch(/did not answer/);
    expect(await refusal(`smtp://localhost:${ports.web}`)).toMatch(/does not speak SMTP: it said "HTTP\/1/);
    expect(await refusal(`smtp://localhost:${ports.endless}`)).toMatch(/without an end/);
    expect(await refusal("smtp://localhost:1?tls=none")).toMatch(/could not be reached/);
  });

  it("contains no header that is injected through a subject or a name", () => {
    const from = { name: 'A "B", Ü', address: "a@acme.test" };
    const subject = "Join Acme\r\nBcc: victim@example.com\r\n\r\nBody =?x ☃ ".repeat(8);
    const text = messageText({ to: "b@acme.test", subject, text: "x" }, { from, id: "i", date: new Date(0) });
    const [header = ""] = text.split("\r\n\r\n");
    const names = header.split("\r\n").filter((line) => !line.startsWith(" "));
    expect(names.map((line) => line.split(":")[0])).toEqual([
      ...["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"],
      ...["MIME-Version", "Content-Type", "Content-Transfer-Encoding"],
    ]);
    expect(header.split("\r\n").every((line) => line.length <= 78)).toBe(true);
    expect(header).toContain("Date: Thu, 01 Jan 1970 00:00:00 +0000");
  });

  it.each(["a@b.c\r\nDATA", "a@b.c> SIZE=1", "a b@c.d", "a@b.c,d@e.f", "<a@b.c>", "a", "@b", "a@b\0.c"])(
    "goes to no address like %j",
    async (to) => {
      const send = mailerOf(variables(`smtp://localhost:${ports.plain}?tls=none`));
      await expect(send(aMail(to))).rejects.toThrow(/not an address/);
    },
  );
});

describe("mail by an HTTP provider", () => {
  const url = `${outside.mailbox}/provider`;

  it("is posted as JSON with the token", async () => {
    await mailerOf(variables(url, { MAIL_TOKEN: "re_123" }))({
      ...aMail("a@acme.test"),
      subject: "One\r\nTwo",
    });
    const last = await (await fetch(`${url}/last`)).json<{ authorization: string; body: string }>();
    expect(last.authorization).toBe("Bearer re_123");
    expect(JSON.parse(last.body)).toEqual({
      from: "Acme <no-reply@acme.test>",
      to: "a@acme.test",
      subject: "One Two",
      text: aMail().text,
    });
  });

  it("fails with a clear error if it is refused, redirected or not answered", async () => {
    await expect(mailerOf(variables(`${url}/refusing`))(aMail())).rejects.toThrow(
      /refused the mail: 422 .*not verified/,
    );
    await expect(mailerOf(variables(`${url}/moved`))(aMail())).rejects.toThrow(/refused the mail: 302/);
    await expect(mailerOf(variables("http://127.0.0.1:1/"))(aMail())).rejects.toThrow(/could not be reached/);
  });
});

describe("the settings of mail", () => {
  it.each([
    ["ftp://mail.test", /MAIL_URL has to be/],
    ["mail.test", /MAIL_URL has to be/],
    ["smtp://user@mail.test", /MAIL_TOKEN/],
    ["smtp://us%er:x@mail.test", /%25/],
    ["smtp://mail.test?tls=maybe", /\?tls=none/],
    ["smtps://mail.test?tls=none", /\?tls=none/],
  ])("%s: says what is wrong", (url, problem) => {
    expect(mailSettings(variables(url))).toEqual({ problem: expect.stringMatching(problem) });
    expect(mailDelivery({ ...variables(url), BLOBS: undefined })).toBe("none");
  });

  it.each(["", "Acme", "a@b@c", "Acme <a@b.c>\nBcc: x@y.z", "A\tB <a@b.c>"])(
    "sends nothing as %j",
    (from) => {
      expect(mailSettings(variables("smtp://mail.test", { MAIL_FROM: from }))).toHaveProperty("problem");
    },
  );

  it("needs to know where links lead", () => {
    expect(mailSettings({ MAIL_URL: "smtp://mail.test", MAIL_FROM: "a@b.c" })).toEqual({
      problem: expect.stringContaining("PUBLIC_URL"),
    });
  });

  it("knows the ports and TLS modes", () => {
    expect(smtp("smtp://mail.test")).toMatchObject({ port: 587, tls: "starttls", login: null });
    expect(smtp("smtps://mail.test")).toMatchObject({ port: 465, tls: "implicit" });
    expect(smtp("smtp://mail.test?tls=none")).toMatchObject({ port: 25, tls: "none" });
    expect(smtp("smtp://[::1]:2525")).toMatchObject({ hostname: "::1", port: 2525 });
  });
});

const askForLink = (email: string, more: Partial<Bindings>) =>
  request(more, "/api/auth/sign-in/magic-link", { email, callbackURL: "/" });

describe("sign-in links by mail", () => {
  const mail = { ...COMMON, MAIL_URL: `smtp://${LOGIN}localhost:${ports.starttls}` };

  it("arrive, and sign in", async () => {
    const { email, userId } = await signIn();
    expect((await askForLink(email.toUpperCase(), mail)).status).toBe(200);
    const [received] = await receivedBy(email);
    const url = /http:\/\/acme\.test\/\S+/.exec(textOf(received!))?.[0] ?? "";
    const response = await open(url);
    expect(response.headers.get("location")).toBe(`${ORIGIN}/`);
    expect(response.headers.getSetCookie().join()).toContain("session_token");
    expect((await signInLink(email)).user.id).toBe(userId);
  });

  it("are not sent to unknown addresses, with the same response", async () => {
    const stranger = anEmail();
    const known = (await signIn()).email;
    const [one, other] = [await askForLink(stranger, mail), await askForLink(known, mail)];
    expect([one.status, await one.text()]).toEqual([other.status, await other.text()]);
    expect(await receivedBy(stranger)).toEqual([]);
    expect(await receivedBy(known)).toHaveLength(1);
    // Where anybody may sign up, they get one.
    await askForLink(stranger, { ...mail, SIGN_UP: "open" });
    expect(await receivedBy(stranger)).toHaveLength(1);
  });

  it("are limited for each address, whoever requests them", async () => {
    const { email } = await signIn();
    const answers: Response[] = [];
    for (let n = 0; n < 8; n++) answers.push(await askForLink(email, mail));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await receivedBy(email)).toHaveLength(6);
  });

  it("have the same response when the mail server refuses them", async () => {
    const { email } = await signIn();
    const broken = { ...mail, MAIL_URL: `smtp://localhost:${ports.closing}` };
    expect((await askForLink(email, broken)).status).toBe(200);
    expect((await askForLink(anEmail(), broken)).status).toBe(200);
  });

  it("are refused to everybody if no mail can be sent", async () => {
    for (const more of [{ BLOBS: undefined }, { MAIL_URL: "smtp://localhost" }]) {
      const { email } = await signIn();
      for (const each of [email, anEmail()]) {
        const response = await askForLink(each, more);
        expect(response.status).toBe(503);
        expect(await response.json()).toMatchObject({ code: expect.stringMatching(/^mail_/) });
      }
    }
  });
});

describe("invitations by mail", () => {
  async function invite(more: Partial<Bindings>, email: string): Promise<CreateInvitationResponse> {
    const owner = await signIn();
    const name = "Roads\u2028Bcc: victim@example.com";
    const organization = await owner.call<{ slug: string }>("POST", "/api/v1/organizations", { name });
    const path = `/api/v1/organizations/${organization.body.slug}/invitations`;
    const response = await request(more, path, { email, role: "viewer" }, { cookie: owner.cookie });
    expect(response.status).toBe(201);
    return response.json();
  }

  it("arrive with the link that is also in the answer", async () => {
    const email = anEmail();
    const more = { ...COMMON, MAIL_URL: `smtp://localhost:${ports.plain}?tls=none` };
    const { url, mailed, mailProblem } = await invite(more, email);
    expect([mailed, mailProblem]).toEqual([true, null]);
    const [received] = await receivedBy(email);
    expect(textOf(received!)).toContain(url);
    expect(received!.raw).not.toMatch(/^Bcc/m);
  });

  it("say why they were not mailed, and can be passed on by hand", async () => {
    const refusing = { ...COMMON, MAIL_URL: `smtp://localhost:${ports.refusing}?tls=none` };
    const { url, mailed, mailProblem } = await invite(refusing, anEmail());
    expect(mailed).toBe(false);
    expect(mailProblem).toMatch(/refused the message: 554 This is spam/);
    expect(url).toMatch(/\/invite\/\w{40}$/);
    expect((await invite({ ...COMMON, MAIL_URL: "x" }, anEmail())).mailProblem).toMatch(/MAIL_URL has to be/);
  });
});

describe("a test mail of the operator", () => {
  const admin = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const test = (more: Partial<Bindings>, email: string) =>
    request(more, "/admin/v1/test-mails", { email }, admin);

  it("arrives, or says what is wrong", async () => {
    const email = anEmail();
    const good = { ...COMMON, MAIL_URL: `smtp://${LOGIN}localhost:${ports.starttls}` };
    const sent = await test(good, email);
    expect([sent.status, await sent.json()]).toEqual([200, { links: "sent" }]);
    expect(await receivedBy(email)).toHaveLength(1);
    const refused = await test({ ...COMMON, MAIL_URL: `smtp://localhost:${ports.closing}` }, email);
    expect([refused.status, await refused.json()]).toEqual([
      502,
      { code: "mail_failed", error: expect.stringMatching(/421 Too busy/) },
    ]);
    expect((await test({ MAIL_URL: "x" }, email)).status).toBe(503);
    expect(await (await test({}, email)).json()).toEqual({ links: "printed" });
  });
});
