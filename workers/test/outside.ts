import { env } from "cloudflare:workers";
import type { Outside } from "./outside/setup.ts";

/** The addresses of the tests' own servers. */
export const outside = JSON.parse(env.OUTSIDE) as Outside;

export interface ReceivedMail {
  from: string;
  raw: string;
  secure: boolean;
  user: string | null;
}

/** Returns the mails that the mail servers have received for an address. */
export async function receivedBy(to: string): Promise<ReceivedMail[]> {
  const response = await fetch(`${outside.mailbox}/received?to=${encodeURIComponent(to)}`);
  return response.json();
}

/** The text of a mail, as its reader sees it. */
export function textOf({ raw }: ReceivedMail): string {
  return Buffer.from(raw.slice(raw.indexOf("\r\n\r\n")), "base64").toString();
}
