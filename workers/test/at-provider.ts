import { exports } from "cloudflare:workers";
import type { PersonThere } from "./outside/sign-in-providers.ts";
import { anAddress, ORIGIN } from "./person.ts";

let people = Math.floor(Math.random() * 1e9);

export const someone = (email: string, more: Partial<PersonThere> = {}): PersonThere => ({
  id: ++people,
  name: "Ada",
  emails: [
    { email: `other-${email}`, primary: false, verified: true },
    { email, primary: true, verified: true },
  ],
  ...more,
});

export interface Started {
  url: URL;
  cookie: string;
}

export const browser = (
  method: string,
  path: string,
  { cookie = "", body }: { cookie?: string; body?: unknown },
) =>
  exports.default.fetch(`${ORIGIN}${path}`, {
    method,
    redirect: "manual",
    headers: { cookie, origin: ORIGIN, "x-test-address": anAddress(), "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

/** Presses the button of a provider. */
export async function start(provider: string): Promise<Started> {
  const body = { provider, callbackURL: "/", errorCallbackURL: "/sign-in" };
  const response = await browser("POST", "/api/auth/sign-in/social", { body });
  if (!response.ok) throw new Error(await response.text());
  const { url } = await response.json<{ url: string }>();
  const cookie = response.headers.getSetCookie().map((each) => each.split(";")[0]);
  return { url: new URL(url), cookie: cookie.join("; ") };
}

/** Where the provider sends the person's browser back to. */
export async function there({ url }: Started, person: PersonThere): Promise<URL> {
  url.searchParams.set("as", JSON.stringify(person));
  const response = await fetch(url, { redirect: "manual" });
  return new URL(response.headers.get("location") ?? "");
}

export const back = (url: URL, cookie: string): Promise<Response> =>
  browser("GET", `${url.pathname}${url.search}`, { cookie });

export async function signInAt(provider: string, person: PersonThere): Promise<Response> {
  const started = await start(provider);
  return back(await there(started, person), started.cookie);
}
