import type { Token } from "../api/environment-api.ts";

/** What a token was completed with. Null: nothing. */
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
