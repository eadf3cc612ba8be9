import { MAIL_DEADLINE_MS, type Mail, MailError, oneLine, quoted } from "./mail.ts";
import type { HttpSettings } from "./settings.ts";

/** Sends one mail through an HTTP provider. The shape is that of Resend's API, which others share. */
export async function sendByHttp(
  { url, token, from }: HttpSettings,
  { to, subject, text }: Mail,
  deadlineMs = MAIL_DEADLINE_MS,
): Promise<void> {
  const sender = from.name === "" ? from.address : `${from.name} <${from.address}>`;
  const provider = `The mail provider ${new URL(url).host}`;
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify({ from: sender, to, subject: oneLine(subject), text }),
    redirect: "manual",
    signal: AbortSignal.timeout(deadlineMs),
  }).catch((error: Error) => {
    const reason =
      error.name === "TimeoutError" ? `did not answer within ${deadlineMs / 1000} s` : "could not be reached";
    throw new MailError(
      `${provider} ${reason}${error.name === "TimeoutError" ? "" : `: ${quoted(error.message)}`}.`,
    );
  });
  if (response.ok) {
    await response.body?.cancel();
    return;
  }
  const answer = await response.text().catch(() => "");
  throw new MailError(`${provider} refused the mail: ${response.status} ${quoted(answer)}`);
}
