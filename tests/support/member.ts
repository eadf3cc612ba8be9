import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CreatedAccessToken, Role } from "@acme/sdk/contract/api";
import type { LocalServer } from "./local-server.ts";

/** Returns the cookie of a member of the default organization who has followed a sign-in link. */
export async function signIn(server: LocalServer, email: string, role: Role): Promise<string> {
  const { adminToken } = JSON.parse(readFileSync(join(server.dataDir, "secrets.json"), "utf8")) as {
    adminToken: string;
  };
  const link = await fetch(`${server.apiUrl}/admin/v1/sign-in-links`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify({ email, organization: "default", role }),
  });
  const { url } = (await link.json()) as { url: string };
  const response = await fetch(url, { redirect: "manual" });
  return response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
}

/** Returns a personal access token of a member who has just signed in. */
export async function accessTokenOf(server: LocalServer, email: string, role: Role): Promise<string> {
  const response = await fetch(`${server.apiUrl}/api/v1/me/access-tokens`, {
    method: "POST",
    headers: {
      cookie: await signIn(server, email, role),
      origin: server.apiUrl,
      "content-type": "application/json",
    },
    body: JSON.stringify({ name: "tests", organization: "default", scopes: ["read", "write"] }),
  });
  if (response.status !== 201) throw new Error(await response.text());
  return ((await response.json()) as CreatedAccessToken).token;
}
