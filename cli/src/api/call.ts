import { ENVIRONMENT_HEADER } from "@acme/sdk/contract/api";
import { z } from "zod";
import { CliError } from "../errors.ts";
import { causeOf } from "./cause.ts";

const Refusal = z.object({ error: z.string(), code: z.string().optional() });

export interface ApiAccess {
  apiUrl: string;
  /** An access token or a secret key. Absent: the route needs none. */
  token?: string;
  /** The environment that an access token acts on, if the path does not name it: `PROJECTREF/SLUG`. */
  environment?: string;
  /** The branch of that environment, or of the secret key's. */
  branch?: string;
}

/** The server refused a call. */
export class RefusalError extends CliError {
  readonly status: number;
  /** Undefined: the response is not from an Acme server. */
  readonly code: string | undefined;

  constructor(message: string, status: number, code: string | undefined) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export class UnreachableError extends CliError {}

/** Calls the API. `path` begins with a slash. @throws CliError that says what to do */
export async function call<T>(
  access: ApiAccess,
  schema: z.ZodType<T>,
  method: string,
  path: string,
  body?: Uint8Array | object,
): Promise<T> {
  const { apiUrl, token, environment } = access;
  const binary = body instanceof Uint8Array;
  let response: Response;
  let text: string;
  try {
    response = await fetch(apiUrl + path, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(environment && { [ENVIRONMENT_HEADER]: environment }),
        ...branchHeader(access),
        ...(body && { "content-type": binary ? "application/javascript" : "application/json" }),
      },
      body: binary ? Uint8Array.from(body) : body && JSON.stringify(body),
    });
    text = await response.text();
  } catch (error) {
    throw new UnreachableError(
      `${apiUrl} could not be reached (${causeOf(error)}). Check that the server is running and that ACME_API_URL is correct.`,
    );
  }
  if (!response.ok) throw refusalOf(response.status, text, apiUrl);
  const parsed = schema.safeParse(jsonOf(text));
  if (parsed.success) return parsed.data;
  throw new CliError(`${apiUrl} did not answer like an Acme server. Check that ACME_API_URL is correct.`);
}

/** The environments that have branches, each with the variables that name the branch of a call. */
const VARIABLES = {
  preview: ["ACME_PREVIEW_BRANCH", "TRIGGER_PREVIEW_BRANCH"],
  dev: ["ACME_DEV_BRANCH", "TRIGGER_DEV_BRANCH"],
} as const;

function branchHeader({ branch, environment, token }: ApiAccess): Record<string, string> {
  const isDev = environment ? /\/dev(-|$)/.test(environment) : token?.startsWith("tr_dev_");
  const names = VARIABLES[isDev ? "dev" : "preview"];
  const named = branch ?? names.map((name) => process.env[name]).find(Boolean);
  return named ? { "x-trigger-branch": named } : {};
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusalOf(status: number, text: string, apiUrl: string): RefusalError {
  const refusal = Refusal.safeParse(jsonOf(text));
  if (refusal.success) {
    return new RefusalError(`${refusal.data.error} (${status})`, status, refusal.data.code);
  }
  const message = `${apiUrl} answered with status ${status} and without a reason. Check that it is an Acme server. ${text.slice(0, 200)}`;
  return new RefusalError(message.trim(), status, undefined);
}
