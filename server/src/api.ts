import { BootstrapResponse, HealthResponse } from "@acme/sdk/contract/api";
import { messageOf, ServerError } from "./errors.ts";

const PATIENCE_MS = 5_000;

/** Asks a Worker for its health. */
export type AskHealth = (signal: AbortSignal) => Promise<{ status: number; body: string }>;

/** Asks at its public address. */
export const healthAt =
  (apiUrl: string): AskHealth =>
  async (signal) => {
    const response = await fetch(`${apiUrl}/healthz`, { signal });
    return { status: response.status, body: await response.text() };
  };

/**
 * Resolves when the Worker reports that it is healthy; writes its last answer to `log` when that takes long.
 * @throws ServerError when `signal` is aborted, with the last answer in the message; at once when the Worker's secrets
 * are not configured, which waiting cannot change
 */
export async function waitUntilHealthy(
  ask: AskHealth,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  let last = "no answer";
  let tellAt = Date.now() + PATIENCE_MS;
  while (!signal.aborted) {
    try {
      const { status, body } = await ask(AbortSignal.any([signal, AbortSignal.timeout(5_000)]));
      if (status === 200) return;
      last = `${status} ${body.slice(0, 500)}`;
      refuseMisconfigured(body);
    } catch (error) {
      if (error instanceof ServerError) throw error;
      last = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error);
    }
    if (Date.now() > tellAt) {
      log(`The Worker is not healthy yet: ${last}`);
      tellAt = Date.now() + PATIENCE_MS;
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new ServerError(`The Worker did not become healthy: ${last}`);
}

function refuseMisconfigured(body: string): void {
  const health = HealthResponse.safeParse(parseJson(body));
  if (!health.success || health.data.configuration === "ok") return;
  throw new ServerError(
    `The Worker refuses to serve with these secrets: ${health.data.configuration} Correct secrets.json in the data folder.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a new installation starts with. Repeating the call changes nothing. */
export interface BootstrapBody {
  organization: { slug: string; name: string };
  project: { ref: string; name: string };
  secretKeys: { prod: string; dev: string };
  accessToken: string;
}

/**
 * Creates the organization, project, environments and keys that are missing. Returns what has been revoked or
 * deleted since, which does not keep a server from starting.
 */
export async function bootstrap(apiUrl: string, adminToken: string, body: BootstrapBody): Promise<string[]> {
  const response = await fetch(`${apiUrl}/admin/v1/bootstrap`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.ok) return BootstrapResponse.parse(parseJson(text)).warnings;
  throw new ServerError(`The project could not be set up: ${response.status} ${text.slice(0, 500)}`);
}

/**
 * Returns a link that signs the owner of the default organization in once, and whether they have ever signed
 * in.
 */
export interface SignInLink {
  url: string;
  expiresAt: string;
  hasSignedIn: boolean;
}

/** Makes the person an owner of the organization if they are not a member yet. */
export async function createSignInLink(
  apiUrl: string,
  adminToken: string,
  person: { email: string; name?: string; organization: string },
): Promise<SignInLink> {
  const response = await fetch(`${apiUrl}/admin/v1/sign-in-links`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(person),
  });
  const text = await response.text();
  if (!response.ok)
    throw new ServerError(`The sign-in link could not be made: ${response.status} ${text.slice(0, 500)}`);
  return JSON.parse(text) as SignInLink;
}
