import type { CreatedAccessToken } from "@acme/sdk/contract/api";
import type { SignedIn } from "./person.ts";

/** An access token of a person, for one of their organizations. */
export async function createToken(
  person: SignedIn,
  {
    organization,
    ...rest
  }: { organization: string; scopes: string[]; expiresInDays?: number | null; name?: string },
): Promise<CreatedAccessToken> {
  const body = { name: "a token", organization, ...rest };
  const made = await person.call<CreatedAccessToken>("POST", "/api/v1/me/access-tokens", body);
  if (made.status !== 201) throw new Error(JSON.stringify(made.body));
  return made.body;
}
