/**
 * The routes of better-auth that this server offers, and no others: the rest of them answers with tokens of sessions,
 * changes addresses without a check, or is about passwords. `/api/v1/me/…` has what people need of those.
 */
const OFFERED: readonly [method: "GET" | "POST", path: RegExp][] = [
  ["POST", /^\/sign-in\/magic-link$/],
  ["GET", /^\/magic-link\/verify$/],
  ["POST", /^\/sign-in\/social$/],
  // Of somebody who is signed in, and then comes back by the same callbacks.
  ["POST", /^\/link-social$/],
  // Most providers send the browser back by GET, some let it post a form.
  ["GET", /^\/callback\/(?:github|google|oidc)$/],
  ["POST", /^\/callback\/(?:github|google|oidc)$/],
  ["GET", /^\/passkey\/generate-register-options$/],
  ["POST", /^\/passkey\/verify-registration$/],
  ["GET", /^\/passkey\/generate-authenticate-options$/],
  ["POST", /^\/passkey\/verify-authentication$/],
  ["POST", /^\/sign-out$/],
];

/** `path`: below `/api/auth`. */
export const isOffered = (method: string, path: string): boolean =>
  OFFERED.some(([offered, pattern]) => offered === method && pattern.test(path));

/** Whether a request is about signing in at another provider: these need to know where its endpoints are. */
export const asksProvider = (path: string): boolean =>
  path === "/sign-in/social" || path === "/link-social" || path.startsWith("/callback/");

/** Whether better-auth's answer to a success holds a session's token or a key, which are no business of scripts. */
export const answersWithSecrets = (path: string): boolean =>
  path === "/passkey/verify-registration" || path === "/passkey/verify-authentication";
