/** What the server's error codes mean for a person who signs in. The text in the address is never shown. */
const PROBLEMS: Readonly<Record<string, string>> = {
  INVALID_TOKEN: "That link has expired or was used before. Ask for a new one.",
  EXPIRED_TOKEN: "That link has expired. Ask for a new one.",
  ATTEMPTS_EXCEEDED: "That link was used before. Ask for a new one.",
  sign_up_closed:
    "Nobody has invited this address. Ask an administrator of your organization for an invitation.",
  email_not_verified: "The address of that account is not verified there. Verify it, then try again.",
  email_not_found:
    "That account has no e-mail address to sign in with. Add one there, or sign in another way.",
  account_not_linked:
    "This address has an account here. Sign in with a link first; after that, signing in there works if the address is verified there.",
  access_denied: "You did not allow it there, so nobody was signed in.",
  state_mismatch: "That sign-in took too long, or was begun in another window. Start again.",
  state_not_found: "That sign-in took too long, or was begun in another window. Start again.",
  provider_unreachable: "The place to sign in at does not answer. Try again, or sign in another way.",
  unable_to_get_user_info: "That place did not say who you are. Try again, or sign in another way.",
  invalid_code: "That place did not confirm the sign-in. Try again.",
};

/** What they mean for a signed-in person who links an account. */
const LINK_PROBLEMS: Readonly<Record<string, string>> = {
  account_already_linked_to_different_user:
    "That account signs in another person here. Unlink it there first.",
  unable_to_link_account: "The address of that account is not verified there. Verify it, then try again.",
  access_denied: "You did not allow it there, so nothing was linked.",
};

export const linkProblemOf = (code: string | null): string | null =>
  code !== null && Object.hasOwn(LINK_PROBLEMS, code)
    ? (LINK_PROBLEMS[code] as string)
    : code !== null && Object.hasOwn(PROBLEMS, code)
      ? (PROBLEMS[code] as string)
      : code && "The account was not linked. Try again.";

/** Returns null if there is no error. `code` comes from the page's address. */
export const problemOf = (code: string | null): string | null =>
  code === null
    ? null
    : Object.hasOwn(PROBLEMS, code)
      ? (PROBLEMS[code] as string)
      : "The sign-in failed. Try again, or sign in another way.";
