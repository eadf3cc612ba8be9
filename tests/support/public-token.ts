import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseRunId } from "@acme/sdk/contract";
import { issueToken } from "../../workers/src/auth/tokens.ts";
import type { LocalServer } from "./local-server.ts";

/**
 * Returns a public token for the environment of a run, with any scopes and any lifetime, signed with the
 * server's own key.
 */
export function publicToken(server: LocalServer, runId: string, scopes: string[], seconds: number): string {
  const { signingKey } = JSON.parse(readFileSync(join(server.dataDir, "secrets.json"), "utf8")) as {
    signingKey: string;
  };
  const env = parseRunId(runId)?.environmentKey ?? "";
  const exp = Math.floor(Date.now() / 1000) + seconds;
  return issueToken({ SIGNING_KEY: signingKey }, { env, kind: "public", scopes, exp });
}
