import type { Bindings } from "../bindings.ts";
import { Failure } from "../http/failure.ts";
import { MailError } from "../mail/mail.ts";
import { mailerOf } from "../mail/mailer.ts";
import type { Destination } from "./channels.ts";
import { mailText, type Notice, slackBody, webhookBody } from "./notice.ts";
import { urlProblem } from "./safe-url.ts";
import { signatureHeaders } from "./sign.ts";

/** How long a receiver may take. */
const DEADLINE_MS = 10_000;
/** The number of characters of a refusal that are kept. */
const ERROR_LENGTH = 300;

export interface Sending {
  id: string;
  createdAt: number;
  notice: Notice;
  /** For mail: the address. */
  target: string;
}

export interface Sent {
  ok: boolean;
  status: number | null;
  error: string | null;
  /** True: retrying is pointless. */
  final?: boolean;
}

/** True: alerts may go to addresses that are not public. */
export const mayGoAnywhere = (env: Bindings): boolean =>
  (env.ALERT_NETWORKS ?? "public").split(",").some((network) => network.trim() !== "public");

/** Sends once. Never throws: failures are returned. */
export async function send(env: Bindings, destination: Destination, sending: Sending): Promise<Sent> {
  try {
    switch (destination.type) {
      case "email":
        return await sendMail(env, sending);
      case "slack":
        return await post(env, destination.url, slackBody(sending.notice), {});
      case "webhook": {
        const body = webhookBody(sending.id, sending.createdAt, sending.notice);
        const headers = await signatureHeaders(destination.secret, sending.id, Date.now(), body);
        return await post(env, destination.url, body, headers);
      }
    }
  } catch (error) {
    return { ok: false, status: null, error: reasonOf(error) };
  }
}

async function sendMail(env: Bindings, { target, notice }: Sending): Promise<Sent> {
  try {
    await mailerOf(env)({ to: target, subject: notice.title, text: mailText(notice) });
    return { ok: true, status: null, error: null };
  } catch (error) {
    if (error instanceof MailError || error instanceof Failure)
      return { ok: false, status: null, error: reasonOf(error) };
    throw error;
  }
}

async function post(
  env: Bindings,
  url: string,
  body: string,
  headers: Record<string, string>,
): Promise<Sent> {
  const problem = urlProblem(url, mayGoAnywhere(env));
  if (problem) return { ok: false, status: null, error: problem, final: true };
  const request = new Request(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", "user-agent": "Acme alerts", ...headers },
    // Redirects are not followed: an allowed address must not lead to a refused one.
    redirect: "manual",
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  const response = await (env.ALERT_NETWORK ? env.ALERT_NETWORK.fetch(request) : fetch(request));
  const { status } = response;
  await response.body?.cancel();
  if (status >= 200 && status < 300) return { ok: true, status, error: null };
  const isRedirect = status >= 300 && status < 400;
  const error = isRedirect
    ? `It answered with a redirect (${status}), which is not followed: give the address that it leads to.`
    : `It answered with the status ${status}.`;
  return { ok: false, status, error, final: status === 410 };
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error).slice(0, ERROR_LENGTH);
  if (error.name === "TimeoutError") return `It did not answer within ${DEADLINE_MS / 1_000} s.`;
  // What workerd says of an address that leads nowhere.
  if (/^internal error/.test(error.message))
    return "The address could not be reached. Check its name and port, and that this server may connect to it.";
  return error.message.slice(0, ERROR_LENGTH);
};
