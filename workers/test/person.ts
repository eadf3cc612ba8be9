import { exports } from "cloudflare:workers";
import { randomBase36 } from "@acme/sdk/contract";
import type { CreateSignInLinkResponse, Role } from "@acme/sdk/contract/api";
import { ADMIN_TOKEN, type Answer, call } from "./client.ts";

export const ORIGIN = "http://acme.test";

export interface SignedIn {
  email: string;
  userId: string;
  /** `name=value`, to be sent as the Cookie header. */
  cookie: string;
  /** One request with the session's cookie, from a page of the server. */
  call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<T>>;
}

export const anEmail = (): string => `${randomBase36(10)}@acme.test`;

/** A link that the operator creates; the organization is given by its slug. */
export async function signInLink(
  email: string,
  membership: { organization?: string; role?: Role } = {},
): Promise<CreateSignInLinkResponse> {
  const body = { email, ...membership };
  const made = await call<CreateSignInLinkResponse>("POST", "/admin/v1/sign-in-links", ADMIN_TOKEN, body);
  if (made.status !== 200) throw new Error(JSON.stringify(made.body));
  return made.body;
}

/** Opens a link as a browser does, without following where it leads. */
export const open = (url: string, headers: Record<string, string> = {}): Promise<Response> =>
  exports.default.fetch(url, {
    redirect: "manual",
    headers: { "x-test-address": anAddress(), ...headers },
  });

/** Sign-ins are limited for each address, so each test has its own, in the header that a proxy would set. */
export const anAddress = (): string => `10.${[0, 0, 0].map(() => Math.floor(Math.random() * 256)).join(".")}`;

export function cookieOf(response: Response): string {
  const cookies = response.headers.getSetCookie().map((cookie) => cookie.split(";")[0] as string);
  const cookie = cookies.find((each) => each.includes("session_token="));
  if (!cookie) throw new Error(`No session: ${response.status} ${response.headers.get("location")}`);
  return cookie;
}

/** A person who has followed their link. */
export async function signIn(
  email: string = anEmail(),
  membership: { organization?: string; role?: Role } = {},
): Promise<SignedIn> {
  const { url, user } = await signInLink(email, membership);
  const cookie = cookieOf(await open(url));
  return {
    email,
    userId: user.id,
    cookie,
    call: (method, path, body, headers = {}) =>
      call(method, path, null, body, {
        cookie,
        origin: ORIGIN,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      }),
  };
}
