import { z } from "zod";
import { CliError } from "../errors.ts";
import { causeOf } from "./cause.ts";

const Refusal = z.object({ error: z.string() });

export interface ApiAccess {
  apiUrl: string;
  /** A personal access token or a secret key. */
  token: string;
}

/** Calls the API. `path` begins with a slash. @throws CliError that says what to do */
export async function call<T>(
  { apiUrl, token }: ApiAccess,
  schema: z.ZodType<T>,
  method: string,
  path: string,
  body?: Uint8Array | object,
): Promise<T> {
  const binary = body instanceof Uint8Array;
  let response: Response;
  let text: string;
  try {
    response = await fetch(apiUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body && { "content-type": binary ? "application/javascript" : "application/json" }),
      },
      body: binary ? Uint8Array.from(body) : body && JSON.stringify(body),
    });
    text = await response.text();
  } catch (error) {
    throw new CliError(
      `${apiUrl} could not be reached (${causeOf(error)}). Check that the server is running and that ACME_API_URL is correct.`,
    );
  }
  if (!response.ok) throw new CliError(refusalOf(response.status, text, apiUrl));
  const parsed = schema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new CliError(`${apiUrl} did not answer like an Acme server. Check that ACME_API_URL is correct.`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusalOf(status: number, text: string, apiUrl: string): string {
  const refusal = Refusal.safeParse(jsonOf(text));
  if (refusal.success) return `${refusal.data.error} (${status})`;
  return `${apiUrl} answered with status ${status} and without a reason. Check that it is an Acme server. ${text.slice(0, 200)}`.trim();
}
