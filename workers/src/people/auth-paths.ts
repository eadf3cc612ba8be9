/**
 * The only routes of better-auth that this server offers: the others return session tokens, change addresses
 * without a check, or concern passwords. `/api/v1/me/…` covers what people need of those.
 */
const OFFERED: readonly [method: "GET" | "POST", path: RegExp][] = [
  ["POST", /^\/sign-in\/magic-link$/],
  ["GET", /^\/magic-link\/verify$/],
  ["POST", /^\/sign-in\/social$/],
  // For signed-in people, who return through the same callbacks.
  ["POST", /^\/link-social$/],
  // Most providers send the browser back with GET, some with a form POST.
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

/** Returns whether a request concerns another identity provider, whose endpoints have to be known. */
export const asksProvider = (path: string): boolean =>
  path === "/sign-in/social" || path === "/link-social" || path.startsWith("/callback/");

/** Returns whether better-auth's response contains a session token or a key, which scripts must not see. */
export const answersWithSecrets = (path: string): boolean =>
  path === "/passkey/verify-registration" || path === "/passkey/verify-authentication";
