import { z } from "zod";
import { messageOf, ServerError } from "./errors.ts";

/** Resolves when the Worker says it is healthy. @throws when `signal` is aborted, with the last answer in the message */
export async function waitUntilHealthy(apiUrl: string, signal: AbortSignal): Promise<void> {
  let last = "no answer";
  while (!signal.aborted) {
    try {
      const response = await fetch(`${apiUrl}/healthz`, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]),
      });
      const body = await response.text();
      if (response.ok) return;
      last = `${response.status} ${body.slice(0, 500)}`;
    } catch (error) {
      last = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new ServerError(`The Worker did not become healthy: ${last}`);
}

const Bootstrapped = z.object({ projectRef: z.string() });

/** What a fresh installation starts with. Sending it again changes nothing. */
export interface BootstrapBody {
  organization: { slug: string; name: string };
  project: { ref: string; name: string };
  secretKeys: { prod: string; dev: string };
  accessToken: string;
}

/** Creates the organization, project, environments and keys that are missing. */
export async function bootstrap(
  apiUrl: string,
  adminToken: string,
  body: BootstrapBody,
): Promise<{ projectRef: string }> {
  const response = await fetch(`${apiUrl}/admin/v1/bootstrap`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok)
    throw new ServerError(`The project could not be set up: ${response.status} ${text.slice(0, 500)}`);
  return Bootstrapped.parse(JSON.parse(text));
}
