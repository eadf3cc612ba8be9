import type { Token } from "../api/environment-api.ts";

const ANSWERERS: Readonly<Record<NonNullable<Token["answeredBy"]>["type"], string>> = {
  user: "A member",
  access_token: "An access token",
  key: "A key",
  callback: "Its callback address",
  link: "Somebody with a link",
};

/** Returns who answered. The name of an answer through a link is what the person entered. */
export function answererText({ type, name }: NonNullable<Token["answeredBy"]>): string {
  if (type === "link") return name ? `${name}, by a link` : ANSWERERS.link;
  return name ?? ANSWERERS[type];
}

/** Returns the data with which a token was completed; null if there is none. */
export function answerOf(
  token: Pick<Token, "status" | "output" | "outputType" | "outputIsError">,
): { value: unknown; isError: boolean } | null {
  if (token.output === undefined) return null;
  const isError = token.outputIsError === true;
  if (token.outputType !== undefined && !token.outputType.includes("json") && !isError)
    return { value: token.output, isError };
  try {
    return { value: JSON.parse(token.output) as unknown, isError };
  } catch {
    return { value: token.output, isError };
  }
}

/** What a token is called where a person reads of it: its title, or else its tags; null if it has neither. */
export const tokenLabel = ({ title, tags }: Pick<Token, "title" | "tags">): string | null =>
  title ?? (tags.length > 0 ? tags.join(", ") : null);
