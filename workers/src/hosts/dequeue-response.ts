import type { PollResult } from "@acme/durable-objects/rpc";
import type { SigningBindings } from "../auth/signing.ts";
import { issueRunToken } from "./run-tokens.ts";

/** Returns the JSON of a DequeueResponse: each run with the token of its lease. */
export function dequeueResponse(
  env: SigningBindings,
  hostId: string,
  { runs, notices, now, ended }: PollResult,
): string {
  const texts = runs.map(({ json, ...lease }) => {
    const apiToken = issueRunToken(env, hostId, lease);
    // A run's JSON may be large: the token is added to the text.
    return `${json.slice(0, -1)},"apiToken":"${apiToken}"}`;
  });
  return `{"runs":[${texts.join(",")}],"notices":${JSON.stringify(notices)},"now":${now}${ended ? ',"ended":true' : ""}}`;
}
